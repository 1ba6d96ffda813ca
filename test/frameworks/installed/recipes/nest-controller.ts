import { Body, Controller, Post, ValidationPipe } from "@nestjs/common";
import { Retry } from "undaunted";
import { Idempotent, memoryIdempotencyStore } from "undaunted/idempotency";
import { Bank, Charge } from "../api.js";

const store = memoryIdempotencyStore(); // or one in a database

@Controller("charges")
export class Charges {
  constructor(private readonly bank: Bank) {}

  @Post()
  @Retry({ attemptTimeout: 2_000 })
  @Idempotent({ name: "charges", store, key: (charge: Charge) => charge.order })
  async charge(@Body(new ValidationPipe()) charge: Charge) {
    return { receipt: await this.bank.take(charge) };
  }
}
