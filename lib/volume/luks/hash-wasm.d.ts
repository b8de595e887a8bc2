declare module 'hash-wasm/dist/argon2.umd.min' {
  export { argon2i, argon2id } from 'hash-wasm';
}
