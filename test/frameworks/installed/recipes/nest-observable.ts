import { Injectable } from "@nestjs/common";
import { firstValueFrom } from "rxjs";
import { Retry } from "undaunted";
import { HttpService } from "../api.js";

@Injectable()
export class Weather {
  constructor(private readonly http: HttpService) {}

  @Retry()
  async today() {
    const { data } = await firstValueFrom(this.http.get("https://api.example.com/today"));
    return data;
  }
}
