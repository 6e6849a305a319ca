"""Kind `pipedrive`: the webhooks of Pipedrive, of version 2 and 1.

    shapes       bodies of version 1 as version 2 has them
    objects      what an object of Pipedrive says of our fields
    connector    basic auth, events to changes, and the settings of a connection

https://pipedrive.readme.io/docs/guide-for-webhooks-v2
https://pipedrive.readme.io/docs/webhooks-v2-migration-guide

- Each event brings the whole object as it is now, and of a change what was there before. The version is
  `meta.timestamp`; `meta.attempt` and `meta.id` are not read, so a retry gives the same changes.
- The status wins a deal, not the stage, and says when: `won_time`, `lost_time`. A deal that is open again was closed
  never.
- An activity counts once it is `done`, at the time it was due (UTC): what it was planned to last says nothing of talk.
  Which activities are calls, mails and meetings is said by their type, which may change: then the former record goes.
- A merge is a deletion with `merged_to_id`: the deal that goes points to the one that stays.
"""
