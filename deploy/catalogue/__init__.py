"""What people ask of the catalogue at the command line: its examples run, its entries told in words."""
