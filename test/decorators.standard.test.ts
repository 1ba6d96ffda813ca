import { currentAttempt, Retry } from "undaunted";
import { instant } from "undaunted/testing";
import { expect, it } from "vitest";

it("x", async () => {
  class A {
    n = 0;
    @Retry(instant) async f(x: number) {
      this.n++;
      if (currentAttempt().attempt < 3) throw new Error("x");
      return x + this.n;
    }
    @Retry(instant) static async s() {
      return this.name;
    }
    @Retry(instant) async #p() {
      if (currentAttempt().attempt < 2) throw new Error("x");
      return this.n;
    }
    p() {
      return this.#p();
    }
  }
  expect(await new A().f(1)).toBe(4);
  expect(await A.s()).toBe("A");
  expect(await new A().p()).toBe(0);
});
