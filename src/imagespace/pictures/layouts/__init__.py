"""What a folder of pictures is, recognised without being told; one file for each layout."""
