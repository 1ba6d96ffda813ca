import { Retry } from "undaunted";

// @ts-expect-error a parameter is no method
export const ofParameters: ParameterDecorator = Retry();

// @ts-expect-error nor is a property
export const ofProperties: PropertyDecorator = Retry();
