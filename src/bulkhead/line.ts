/** What stands in a line: its links are the line's, and no other code writes to them. */
export interface InLine<T> {
  before: T | undefined;
  after: T | undefined;
}

/** First in, first out, or out of the middle: a list whose links are in what it holds. */
export class Line<T extends InLine<T>> {
  length = 0;
  #first: T | undefined;
  #last: T | undefined;

  push(waiting: T): void {
    waiting.before = this.#last;
    if (this.#last) this.#last.after = waiting;
    else this.#first = waiting;
    this.#last = waiting;
    this.length++;
  }

  shift(): T | undefined {
    const first = this.#first;
    if (first) this.remove(first);
    return first;
  }

  remove(waiting: T): void {
    const { before, after } = waiting;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    // It may run for long, and must not keep alive what stood behind it.
    waiting.after = undefined;
    this.length--;
  }
}
