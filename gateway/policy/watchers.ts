/** Who wants to hear of the end of a session or a key: called once, then forgotten. */
export class Watchers {
  readonly #watching = new Map<string, Set<() => void>>();

  get ids(): readonly string[] {
    return [...this.#watching.keys()];
  }

  watch(id: string, ended: () => void): () => void {
    const watching = this.#watching.get(id) ?? new Set();
    this.#watching.set(id, watching);
    // A callback of its own, so that the same function may be given twice.
    const call = () => ended();
    watching.add(call);
    return () => {
      watching.delete(call);
      if (watching.size === 0 && this.#watching.get(id) === watching) this.#watching.delete(id);
    };
  }

  tell(id: string): void {
    const watching = this.#watching.get(id) ?? [];
    this.#watching.delete(id);
    for (const call of watching) call();
  }
}
