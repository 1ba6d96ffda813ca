// Loaded before anything else: every clock that a program can read is off by `SHIFTED_BY` ms.
const by = Number(process.env.SHIFTED_BY ?? 0);
const now = performance.now.bind(performance);
performance.now = () => now() + by;
globalThis.Date = class extends Date {
  constructor(...given) {
    if (given.length > 0) super(...given);
    else super(Date.now());
  }
  static now() {
    return super.now() + by;
  }
};
