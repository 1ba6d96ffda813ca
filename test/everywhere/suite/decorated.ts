// Compiled with standard and with legacy decorators; `core` is the package, in the format that is tried.
export default async function decorated(core: any): Promise<string[]> {
  class Users {
    reads = 0;

    @core.Retry({ wait: core.waitNone })
    async load(id: string): Promise<string> {
      const { attempt } = core.currentAttempt();
      if (attempt < 3) throw new Error("busy");
      return `${id} at attempt ${attempt}`;
    }

    @core.RetrySync({ wait: core.waitNone })
    read(id: string): string {
      if (++this.reads < 2) throw new Error("busy");
      return `${id} is read at attempt ${this.reads}`;
    }
  }

  const users = new Users();
  return [await users.load("42"), users.read("42")];
}
