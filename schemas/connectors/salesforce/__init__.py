"""Kind `salesforce`: Outbound Messages, and the events of Change Data Capture.

    ids          ids of 15 and 18 characters
    soap         the XML of an Outbound Message, read without entities
    changes      an event of Change Data Capture: what it says, and which fields its bitmaps name
    objects      what an object of Salesforce says of our fields
    reading      rules that look at several members, or at more than one of our records
    connector    what proves a message, messages and events to changes, and the settings of a connection

https://developer.salesforce.com/docs/platform/api/guide/sforce-api-om-outboundmessaging-wsdl.html
https://developer.salesforce.com/docs/atlas.en-us.264.0.change_data_capture.meta/change_data_capture/

- An Outbound Message carries no proof but its organisation, which is no secret: what proves it is a part of the path.
- A message has no instant of its own. Its version is `LastModifiedDate` or `SystemModstamp`, if these fields were
  picked; else when it came, for it brings the record as it is when it is sent. Of an event it is the commit, and in it
  the place in its transaction.
- Nothing is a touch's time but the time itself: `ActivityDate` is a day. A call began its duration before it was
  completed, or else logged.
- A deal closed when it last entered a closed stage (`LastStageChangeDate`), never at `CloseDate`.
- `CallDisposition` is free text. What `outcomes` of the connection do not say is counted by word.
"""
