"""Back-fills as real processes beside a fake CRM: killed half-way, and of more records than fit into memory.

__main__    `make backfills`: all of it, with figures
crms        the fakes as a vendor would run them: by the machine's clock, with their webhooks and their stream
killed      kill -9 of everything half-way, and what is served after that
large       a hundred thousand records at the vendor's limit, and the memory that it takes
"""
