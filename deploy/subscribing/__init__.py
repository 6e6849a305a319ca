"""A CRM's webhooks from the CRM's side: made, looked at and mended by its API; and whether its API can be asked at all.

asking    requests and what stands in their way      vendors   what each CRM is asked
steps     what a person has to click                  online    `check --online`: what is found, in words
"""
