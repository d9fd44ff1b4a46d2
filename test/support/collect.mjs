/** Loaded before a process under test: it collects its garbage when it is asked to. */
process.on('SIGUSR2', () => {
  // What the first round leaves to be finalised is gone with the second.
  for (const _ of [1, 2]) globalThis.gc()
  process.send?.('collected')
})
