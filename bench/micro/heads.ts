// Heads that the micro-benches of the codec read: a bare client's and a browser's.

/** 190 bytes with its empty line, 5 fields. */
export const smallHead: string = [
  "GET /api/v1/users/123456?verbose=true HTTP/1.1",
  "Host: service.example.com:8080",
  "User-Agent: bench/1.0 (linux)",
  "Accept: */*",
  "X-Request-Source: micro-bench",
  "Accept-Encoding: gzip, deflate, b",
  "",
  "",
].join("\r\n");

/** About 720 bytes, 13 fields. */
export const browserHead: string = [
  "GET /products/list?category=books&page=3&sort=price HTTP/1.1",
  "Host: shop.example.com",
  "Connection: keep-alive",
  "Cache-Control: max-age=0",
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Sec-Fetch-Site: same-origin",
  "Sec-Fetch-Mode: navigate",
  "Referer: https://shop.example.com/products/list?category=books&page=2",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
  "Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=yes; cart=42",
  'If-None-Match: "33a64df551425fcc55e4d42a148795d9"',
  "",
  "",
].join("\r\n");
