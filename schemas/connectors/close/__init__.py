"""Kind `close`: the webhooks of Close.

    objects      what an object of Close says of our fields
    connector    signatures, events to changes, and the settings of a connection

https://developer.close.com/topics/webhooks
https://developer.close.com/api/resources/events/list-of-event-types.md

- The version is the event's `date_updated`, which has no offset and is in UTC. Events are consolidated: the same id
  comes again with a later `date_updated` and more in it, so no id is taken for a repetition.
- A change of an opportunity's status comes twice, in `opportunity.updated` and as an activity of its own. The activity
  has the instant of the change, so it says when a deal closed; the other merely concludes it, and yields.
- A merge of leads also sends `deleted` for the one that goes and for what moved with it: these take nothing away.
- `value` is in cents. What is paid monthly or annually is no amount of a deal.
- A meeting that is `completed` is over, whether anybody came: only `outcomes` of the connection say that it was held.
"""
