"""The seams over faust-streaming, mode-streaming and aiokafka: all that the project knows of their private names.

    fail_stop   the one way to end the process without committing
    owner       the only writer of a partition's topics, known to the broker
    fetched     what the stages see of a Kafka record
    reading     read partitions from their beginning up to given ends
    shards      what a stage is, and the life of its shards: load, process, tick, keep, drop
    batches     Faust's consumer, one event per fetched batch of a partition
    recovery    Faust's rebalance: shards are loaded before anything is delivered
    ends        where topics end, asked for beside their consumers
    following   a topic outside any group, from its beginning on
    appending   messages by their place, and once more appended
    worker      the Faust app made of all of these

Nothing here knows what a record, a pane or a metric is. The three libraries are pinned exactly;
`tests/processor/transport` holds a contract test on a real broker for each seam. Numbers with a `#` are issues of
faust-streaming.
"""
