"""The subcommands, one module each, imported when one is called."""
