"""What notifying does when others call: due mails and webhooks."""

from datetime import datetime

from talkworthy.hooks import joins
from talkworthy.notifying.sending import deliver_webhook, mail_digest


@joins(specname="work_due")
def mails_due(now: datetime) -> int:
    """One digest."""
    return mail_digest(now=now)


@joins(specname="work_due")
def webhooks_due(now: datetime) -> int:
    """One webhook."""
    return deliver_webhook(now=now)


@joins(specname="work_due")
def more_webhooks_due(now: datetime) -> int:
    """Another one meanwhile: an endpoint that is slow to answer has one call at a time, and the others go on."""
    return deliver_webhook(now=now)
