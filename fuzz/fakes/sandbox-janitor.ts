export class Janitor {
  readonly gone = Promise.resolve();
  release(): void {}
  leave(): void {}
}
