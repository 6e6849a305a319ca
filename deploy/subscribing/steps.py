"""What a person has to do for each kind of connection: what to click, where a CRM has no API for it or none is named.

Owns the words that `floorcast connect KIND` prints; the whole of it stands in the guides and docs/connectors.
"""

from collections.abc import Mapping

PLACE = "https://floor.example.com"
_HOOK = "{url}"

STEPS: Mapping[str, tuple[str, ...]] = {
    "generic": (
        "make a secret: `whsec_` and 24 to 64 random bytes in base64",
        f"let your system post its events to {_HOOK}, signed by Standard Webhooks",
    ),
    "file": (
        "nothing is posted to it: `floorcast backfill NAME FILE --record KIND --dry-run` shows what it would read",
    ),
    "hubspot": (
        "make a project app with static auth, with the scopes crm.objects.contacts.read, .deals.read, .leads.read and "
        ".owners.read, and take its client secret for `secrets`",
        "subscribe it to creation, deletion, restore, merge, association and property changes of contacts, deals, "
        "calls, emails and meetings (HubSpot takes that from the app's own files, not from an API)",
        f"let it post to {_HOOK}; `public_url` must be the scheme and host of it, for the signature covers the address",
        "for look-ups and back-fill make a service key with the same scopes: `api.token`",
    ),
    "salesforce": (
        "make a long random word: it is the secret, and a part of the address",
        f"in Setup, Outbound Messages, make one for each object to {_HOOK}/ and that word, with the fields that "
        "docs/connectors/salesforce.md names; do not send the session id",
        "in a record-triggered Flow on each object (created or updated) add its outbound message",
        "or, better: in Setup, Change Data Capture, choose Opportunity, Lead, Task, Event and EmailMessage, and name "
        "`stream: {topics: [/data/ChangeEvents]}`: up reads them",
        "for look-ups and the stream make an External Client App with the client credentials flow: `api.url` (your My "
        "Domain), `api.client_id` and its secret",
    ),
    "zoho": (
        "make a self client in the API console and a refresh token of the scopes ZohoCRM.modules.ALL, "
        "ZohoCRM.coql.READ, ZohoCRM.users.READ, ZohoCRM.settings.READ, ZohoCRM.org.READ, ZohoCRM.notifications.ALL",
        "name the connection with `api`, `public_url` and a random token of at most 50 characters in `secrets`",
        "the channel is made by this command, and expires after a week: up renews it, or this command with --keep",
    ),
    "pipedrive": (
        "make an API token of an admin: what that user does not see is not sent",
        "name the connection with `api`, `public_url` and `user:password` of your choice in `secrets`",
        "the webhooks are made by this command",
    ),
    "close": (
        "make an API key of a user who sees everything",
        "name the connection with `api` and `public_url`, and 32 zeros in `secrets` until there is a key",
        "the subscription is made by this command, which shows its signature_key, once: put that into `secrets`",
    ),
    "aircall": (
        "make an API key (id and token) as an admin",
        "name the connection with `api` and `public_url`, and any word in `secrets` until there is a token",
        "the webhook is made by this command, which shows its token: put that into `secrets`",
    ),
}


def steps(kind: str, url: str) -> list[str]:
    """The steps for one kind, numbered."""
    return [f"{number}. {step.replace(_HOOK, url)}" for number, step in enumerate(STEPS[kind], start=1)]
