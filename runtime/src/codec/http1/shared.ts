// What the HTTP/1 connections of one thread share: the parser and empty HeaderMaps. The owner of
// the thread makes one and gives it to every connection.
import { HeaderMap } from "../../core/header-map.ts";
import { HeadParser } from "./parser.ts";

/** As many as there are spare streams; the collector takes what is more. */
const SPARE_MAPS_MAX = 1024;

export class Http1Shared {
  readonly parser: HeadParser;
  readonly #spare: HeaderMap[];
  #scratch: HeaderMap;
  /** Maps that found no place: only grows. */
  refused: number = 0;

  constructor() {
    this.parser = new HeadParser();
    this.#spare = [];
    this.#scratch = new HeaderMap();
  }

  /** The map that heads are parsed into before they have an owner. */
  get scratch(): HeaderMap {
    return this.#scratch;
  }

  /** Gives the scratch map away; its taker may hand it to giveMap() when done with it. */
  takeScratch(): HeaderMap {
    const map = this.#scratch;
    this.#scratch = this.#spare.pop() ?? new HeaderMap();
    return map;
  }

  /** Takes a map back that nobody will touch any more. Optional: a map may also be dropped. */
  giveMap(map: HeaderMap): void {
    if (this.#spare.length >= SPARE_MAPS_MAX) {
      this.refused += 1;
      return;
    }
    map.reset();
    this.#spare.push(map);
  }
}
