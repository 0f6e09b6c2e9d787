# Area: mails
