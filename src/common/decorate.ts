type Key = string | symbol;
type Context = { readonly kind: string; readonly name: Key };

/**
 * A method decorator, TC39 standard and legacy in one: the second argument shows which it is. `replace` makes
 * what stands in a method's place. A legacy decorator writes it into the descriptor that it was given, and returns that.
 * Anything but a method is refused, with `owner` and the `wrapper` that would do.
 */
export function decorate(owner: string, wrapper: string, replace: (method: object, name: string) => object) {
  const replaced = (method: object, name: Key): object => {
    const wrapped = replace(method, String(name));
    copyMetadata(method, wrapped);
    return wrapped;
  };
  return (target: unknown, key: unknown, descriptor?: unknown) => {
    if (isContext(key)) {
      if (key.kind !== "method") refuse(owner, wrapper, key.name, key.kind);
      return replaced(target as object, key.name);
    }
    const legacy = typeof descriptor === "object" ? (descriptor as PropertyDescriptor) : undefined;
    if (legacy && typeof legacy.value === "function") return withValue(legacy, replaced(legacy.value, key as Key));
    const member = legacy && (legacy.get || legacy.set) ? "getter or setter" : "field";
    return refuse(owner, wrapper, key as Key | undefined, typeof descriptor === "number" ? "parameter" : member);
  };
}

// A helper that calls decorators by hand, as NestJS' `applyDecorators` does, drops what they return: what is written
// into the descriptor is there all the same. A frozen one cannot be written to.
function withValue(descriptor: PropertyDescriptor, value: object): PropertyDescriptor {
  return Reflect.set(descriptor, "value", value) ? descriptor : { ...descriptor, value };
}

/** Whether `key` is what a standard decorator gets beside the method. */
export function isContext(key: unknown): key is Context {
  return typeof key === "object" && key !== null && "kind" in key;
}

function refuse(owner: string, wrapper: string, name: Key | undefined, kind: string): never {
  const article = /^[aeiou]/.test(kind) ? "an" : "a";
  const what = name === undefined ? "this is a class or a constructor" : `${String(name)} is ${article} ${kind}`;
  throw new TypeError(
    `${owner} decorates methods only, and ${what}: make it a method, or wrap the function in ${wrapper}()`,
  );
}

// Frameworks keep metadata on the method itself (`reflect-metadata`), and look for it on what stands in its place.
function copyMetadata(from: object, to: object): void {
  const { getOwnMetadataKeys, getOwnMetadata, defineMetadata } = Reflect as unknown as {
    getOwnMetadataKeys?(target: object): unknown[];
    getOwnMetadata(key: unknown, target: object): unknown;
    defineMetadata(key: unknown, value: unknown, target: object): void;
  };
  for (const key of getOwnMetadataKeys?.(from) ?? []) defineMetadata(key, getOwnMetadata(key, from), to);
}
