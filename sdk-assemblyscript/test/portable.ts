// Compiled by asc and run by Node alike: only what means the same in both. See miscompiles.test.ts.
type i32 = number;

export function whileTrue(n: i32, m: i32): i32 {
  let count = 0;
  while (true) {
    count++;
    if (count < n) {
      continue;
    }
    if (count >= m) {
      break;
    }
    return -1;
  }
  return count;
}

export function doWhileTrue(n: i32, m: i32): i32 {
  let count = 0;
  do {
    count += 2;
    if (count < n) continue;
    if (count > m) break;
    if (count === m) return -count;
    // oxlint-disable-next-line no-constant-condition -- the loop that is tested
  } while (true);
  return count;
}

export function forWithCondition(n: i32, m: i32): i32 {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    if (i === m) continue;
    if (i > m + 3) break;
    sum += i;
  }
  return sum;
}

export function forWithoutStep(n: i32, m: i32): i32 {
  let at = n;
  for (; at < 20; ) {
    at += 3;
    if (at === m) return 100;
    if (at % 2 === 0) continue;
    if (at > 12) break;
  }
  return at;
}

export function nested(n: i32, m: i32): i32 {
  let count = 0;
  for (let i = 0; i < n; i++) {
    let j = 0;
    while (true) {
      if (++j > m) break;
      if ((i + j) % 3 === 0) continue;
      count += i * j;
      if (count > 40) return count;
    }
    if (j > 4) continue;
    count++;
  }
  return count;
}

export function switches(n: i32, m: i32): i32 {
  let sum = m;
  switch (n) {
    case 0:
    case 1:
      sum += 2;
      break;
    case 2: {
      while (true) {
        if (sum > 5) return sum;
        sum += 3;
      }
    }
    case 4:
      sum += 7;
      break;
    default:
      sum = 0 - sum;
  }
  return sum;
}

export function shortCircuit(n: i32, m: i32): i32 {
  let touched = 0;
  if (n > 0 && (touched += 1) > 0 && m > 0) touched += 10;
  if (n > 3 || (touched += 100) > 500 || m > 3) touched += 1000;
  return n > m ? (touched > 50 ? touched : 0 - touched) : touched;
}

export function wraps(n: i32, m: i32): i32 {
  let hash = 17 + n;
  for (let i = 0; i < m; i++) {
    hash = ((hash << 5) ^ (hash >>> 3) ^ i) | 0;
    if (hash < 0) hash = ~hash;
  }
  return hash;
}
