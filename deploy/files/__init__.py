"""`floorcast backfill NAME FILE`: files whose lines become deliveries, so that replay needs no file.

text       bytes to lines of text              dates      how days and times are written, and in which zone
lines      to cells, with the line's number    cells      numbers, durations, ids
header     which column is which               mapping    what the command and floorcast.yaml say of the file
rows       a line to an event                  people     whom a cell names
checking   the first reading of all lines      proposals  options that would read what was refused
sending    the second: events to the log       importing  the whole of it, and what is said
"""
