"""What notifying does when others call: due mails and webhooks."""

from datetime import datetime

from talkworthy.hooks import joins
from talkworthy.notifying.sending import deliver_webhook, mail_digest


@joins
def work_due(now: datetime) -> int:
    """One digest, and one webhook."""
    return mail_digest(now=now) + deliver_webhook(now=now)
