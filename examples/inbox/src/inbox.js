/** Messages by sender, newest first, at most `limit` each. */
class Inbox {
  constructor(limit = 50) {
    this.limit = limit;
    this.bySender = new Map();
    this.delivered = 0;
  }

  deliver(event) {
    const sender = event.sender.login.toLowerCase();
    const messages = this.bySender.get(sender) ?? [];
    messages.unshift({ type: event.type, subject: event.subject ?? '' });
    this.bySender.set(sender, messages.slice(0, this.limit));
    this.delivered += 1;
    console.log(`delivered ${event.type} from ${sender}`);
  }

  of(sender) {
    return this.bySender.get(sender.toLowerCase()) ?? [];
  }
}

module.exports = { Inbox };
