"""The demo over a fake CRM: the simulated floor works in it, and it tells floorcast as the vendor would.

__main__     `make demo CRM=…`: the fake, a floorcast beside it, the floor's day
hubspot      the floor's events as work in a HubSpot account, and its webhooks
salesforce   the same in an organisation of Salesforce, and its change events
running      the floorcast, as a child
"""
