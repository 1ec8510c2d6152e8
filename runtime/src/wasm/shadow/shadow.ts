// One plugin in the shadow of the version that serves: which streams it follows, and what is told
// of them.
import type { HeaderMap } from "../../core/header-map.ts";
import { remoteIpOf, type StreamInfo } from "../../core/stream-info.ts";
import type { HttpFilter } from "../../filter/http-filter.ts";
import type { StreamOwner } from "../http-filter.ts";
import type { HttpFilterMaker, Plugin } from "../plugin.ts";
import type { RootContext } from "../root-context.ts";
import type { VersionChoice } from "../version-choice.ts";
import { CALLS_MAX } from "./call-book.ts";
import { type Difference, type DifferenceKind, TOLD_MAX } from "./difference.ts";
import { Onlooker, ShadowedHttpFilter, ShadowHttpFilter } from "./shadow-filters.ts";
import type { ShadowSite } from "./shadow-site.ts";
import { type ShadowedRequest, ShadowStream } from "./shadow-stream.ts";
import type { UncomparedReason } from "./uncompared.ts";

/** A difference of one stream, told whole. */
export interface ShadowDifference extends Difference, ShadowedRequest {
  readonly plugin: string;
  readonly version: string;
}

export class Shadow {
  readonly site: ShadowSite;
  /** The version that is tried. */
  readonly plugin: Plugin;
  readonly #choice: VersionChoice;
  readonly #tell: (difference: ShadowDifference) => void;
  readonly #told: Map<DifferenceKind, number>;
  #isOver: boolean = false;

  constructor(
    site: ShadowSite,
    plugin: Plugin,
    choice: VersionChoice,
    tell: (difference: ShadowDifference) => void,
  ) {
    this.site = site;
    this.plugin = plugin;
    this.#choice = choice;
    this.#tell = tell;
    this.#told = new Map();
  }

  /** Adds what stands in the place of the primary's filter; false = the stream has no shadow. */
  addFilters(
    filters: HttpFilter[],
    primary: Plugin,
    info: StreamInfo,
    headers: HeaderMap | null,
  ): boolean {
    if (!this.#choice.isCanarys(info.streamId, remoteIpOf(info), headers)) return false;
    const { root } = primary;
    if (root === null || !primary.slot.isAlive) return false;
    const stream = new ShadowStream(this, info);
    const tried = this.plugin.createFilterOf(new TriedMaker(stream));
    if (tried === null) return false;
    const maker = new ServedMaker(stream, tried.wants);
    const served = primary.createFilterOf(maker);
    if (served === null) {
      tried.onDestroy();
      return false;
    }
    this.site.watch(root);
    stream.setFilter(tried);
    filters.push(new Onlooker(false, served.wants, stream.served.response));
    filters.push(served);
    filters.push(new Onlooker(true, served.wants, stream.served.request));
    return true;
  }

  /** Whether so many bytes more may be copied for it. */
  mayHold(bytes: number): boolean {
    const limits = this.plugin.root?.vm.limits;
    const held = this.site.heldBytes + bytes;
    return limits?.allows("shadowBytes", held, this.plugin.identity) ?? false;
  }

  /** The calls of a stream were too many or too large to be compared. */
  onCallsCut(): void {
    const { root, identity } = this.plugin;
    root?.vm.limits.refused("calls_compared", CALLS_MAX, identity);
  }

  /** A stream is over, and was compared when there is no `reason`. */
  onStreamOver(
    reason: UncomparedReason | null,
    differences: readonly Difference[],
    request: ShadowedRequest,
  ): void {
    // What the other one does is not looked at any more.
    if (this.#isOver) return;
    const { counts, version } = this.plugin.identity;
    if (reason !== null) {
      counts.onUncompared(reason);
      return;
    }
    counts.onCompared(differences);
    for (const difference of differences) {
      const told = this.#told.get(difference.kind) ?? 0;
      if (told >= TOLD_MAX) continue;
      this.#told.set(difference.kind, told + 1);
      this.#tell({ ...difference, ...request, plugin: this.plugin.name, version });
    }
  }

  /** Another version takes its place, or none. */
  close(): void {
    this.#isOver = true;
    this.site.close();
  }
}

class TriedMaker implements HttpFilterMaker<ShadowHttpFilter> {
  readonly #stream: ShadowStream;

  constructor(stream: ShadowStream) {
    this.#stream = stream;
  }

  makeFilter(root: RootContext, wants: number, streams: StreamOwner): ShadowHttpFilter {
    return new ShadowHttpFilter(root, wants, streams, this.#stream.tried);
  }
}

class ServedMaker implements HttpFilterMaker<ShadowedHttpFilter> {
  readonly #stream: ShadowStream;
  readonly #wants: number;

  /** `wants` of the version that is tried. */
  constructor(stream: ShadowStream, wants: number) {
    this.#stream = stream;
    this.#wants = wants;
  }

  makeFilter(root: RootContext, wants: number, streams: StreamOwner): ShadowedHttpFilter {
    return new ShadowedHttpFilter(root, wants | this.#wants, streams, this.#stream);
  }
}
