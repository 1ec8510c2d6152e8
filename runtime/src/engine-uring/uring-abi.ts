// The numbers of io_uring that we use, as linux/io_uring.h has them.

export const Syscall = { Setup: 425, Enter: 426, Register: 427 } as const;

export const SetupFlag = {
  CqSize: 0x8,
  SubmitAll: 0x80,
  SingleIssuer: 0x1000,
  DeferTaskrun: 0x2000,
} as const;

export const Feature = { SingleMmap: 1, ExtArg: 0x100 } as const;

export const EnterFlag = { GetEvents: 1, ExtArg: 0x8, RegisteredRing: 0x10 } as const;

export const Op = {
  PollAdd: 6,
  SendMsg: 9,
  Timeout: 11,
  TimeoutRemove: 12,
  Accept: 13,
  AsyncCancel: 14,
  Connect: 16,
  Close: 19,
  Send: 26,
  Recv: 27,
} as const;

export const SqeFlag = { BufferSelect: 0x20, SkipSuccess: 0x40 } as const;
/** The flags stand behind the operation. */
export const SQE_FLAGS_SHIFT = 8;

/** Of the field ioprio. */
export const Multishot = { Accept: 1 } as const;
/** The same field, behind operation and flags: waits first, and then looks for bytes. */
export const POLL_FIRST = 0x1_0000;

export const CqeFlag = { Buffer: 1, More: 0x2, SocketNonempty: 0x4, BufferMore: 0x10 } as const;
export const CQE_BUFFER_SHIFT = 16;

export const CancelFlag = { All: 1, Fd: 0x2 } as const;

export const RegisterCode = { Probe: 8, RingFd: 20, BufferRing: 22 } as const;

/** The kernel takes of a buffer what it needs, and goes on where it stopped: Linux 6.12. */
export const BUFFER_RING_INCREMENTAL = 2;

/** What completions bring, negated. */
export const Errno = { Again: 11, NoBuffers: 105, Canceled: 125 } as const;

export const MapOffset = { Rings: 0, Entries: 0x1000_0000 } as const;

/** Bytes. */
export const Size = {
  Parameters: 120,
  Entry: 64,
  Completion: 16,
  BufferEntry: 16,
  BufferRegistration: 40,
  /** Header, and 8 for each of 256 operations. */
  Probe: 2064,
} as const;

/** Operations of which only failures are told. */
export const QUIET_CLOSE = 0x4013;
export const QUIET_CANCEL = 0x400e;
export const QUIET_SEND = 0x401a;
export const QUIET_TIMEOUT_REMOVE = 0x400c;

/** The timeout is not removed, but gets another time. */
export const TIMEOUT_UPDATE = 2;

export const SqFlag = { CqOverflow: 0x2 } as const;

export const POLLIN = 1;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_DONTWAIT = 0x40;
export const MSG_WAITALL = 0x100;
export const SOCK_CLOEXEC = 0o2000000;
