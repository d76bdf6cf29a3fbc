from dlfs.cli import main

main()
