# The header of a record batch of Kafka's format 2 (KIP-98): where each field begins. Up to the number of the format they
# lie where they did in the formats before.

cdef enum:
    LENGTH_AT = 8  # of all that follows it
    LEADER_EPOCH_AT = 12
    AFTER_LENGTH = 12
    MAGIC_AT = 16
    CHECKSUM_AT = 17  # of all that follows it
    ATTRIBUTES_AT = 21
    LAST_OFFSET_AT = 23
    FIRST_TIMESTAMP_AT = 27
    MAX_TIMESTAMP_AT = 35
    PRODUCER_ID_AT = 43
    PRODUCER_EPOCH_AT = 51
    BASE_SEQUENCE_AT = 53
    COUNT_AT = 57
    HEADER = 61  # records begin
