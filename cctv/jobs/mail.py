"""RQ entry points of mail: one job a mail, and the periodic one that finds what is due."""

from cctv.services.mailing import mail, mail_delivery, mail_files, notices


def send(message_id: int) -> None:
    """Send one mail."""
    mail_delivery.deliver(message_id)


def tick() -> None:
    """Every 10 s: give up what expired, settle what died half way, tell of trouble, queue what is due."""
    mail.expire()
    mail_delivery.recover()
    mail_files.forget_old()
    mail.dispatch()
    notices.tick()
