"""Kind `hubspot`: signatures v1 to v3 of HubSpot's webhooks, and what its events say of our records.

    signatures   which requests are HubSpot's
    properties   what a property says of our fields
    objects      which objects are records of ours
    events       what an event says of which record
    connector    deliveries to changes, and the settings of a connection

- Event time stands in the properties (`hs_timestamp`, `hs_meeting_start_time`, `closedate` ...); `occurredAt` is the
  version. A redelivery gives the same change: `eventId` (not unique) and `attemptNumber` are not read into it.
- Each property change is a change of its own, of the fields that this property says something of. Where several
  properties may set one field (`status`), each has a voice of its own (`schemas.voices`), so that whichever is cleared
  lets the others decide again. What a property merely suggests is *inferred*: it carries a version one day older and
  yields to all that is said outright on that day.
- A word without a counterpart here (custom dispositions, outcomes, types, lead statuses) clears what this property has
  said, and is counted as `unmapped_value`.
- Contacts and leads (object 0-136) are both our `lead`, but count their ids apart: a lead is `lead-<id>`, a contact its
  plain id.
- A pointer holds one id: of several associated contacts the one associated last counts.
"""
