"""The same work in other engines, each a process of its own, written as its own guide recommends.

A contender prints `first <epoch seconds>` when it sees its first record. It shares no code with floorcast or with the
others: what one of them means by a call, another must not inherit.
"""
