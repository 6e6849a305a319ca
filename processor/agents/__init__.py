"""The stages as shards of the transport: decode, call the core, write. No rule of the business stands here."""
