import "reflect-metadata";
import { currentAttempt, Retry } from "undaunted";
import { instant } from "undaunted/testing";
import { expect, it } from "vitest";

it("x", async () => {
  class A {
    n = 0;
    @Retry(instant) async f(x: number): Promise<number> {
      this.n++;
      if (currentAttempt().attempt < 3) throw new Error("x");
      return x + this.n;
    }
  }
  expect(await new A().f(1)).toBe(4);
  expect(Reflect.getMetadata("design:returntype", A.prototype, "f")).toBe(Promise);
});
