;; Reads bodies and writes them back, of requests and responses: the least that it costs to change one.
;; Without a configuration it waits for all of a body; "pieces": it takes each piece as it comes; "reads": the
;; same, and writes nothing back; "reads-whole": it waits for all and writes nothing back.
(module
  (import "env" "proxy_get_buffer_bytes"
    (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes"
    (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
  ;; A body of 4 MiB at most.
  (memory (export "memory") 66)
  (data (i32.const 16) "content-length")
  (global $takesPieces (mut i32) (i32.const 0))
  (global $onlyReads (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  ;; One at a time.
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32)
    ;; The words are told by their lengths: 6, 5, 11.
    (global.set $takesPieces (i32.rem_u (local.get $size) (i32.const 11)))
    (global.set $onlyReads (i32.and (local.get $size) (i32.const 1)))
    (i32.const 1))
  (func $onHeaders (param $map i32) (result i32)
    (if (i32.eqz (global.get $onlyReads))
      (then (drop (call $remove (local.get $map) (i32.const 16) (i32.const 14)))))
    (i32.const 0))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $onHeaders (i32.const 0)))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (call $onHeaders (i32.const 2)))
  (func $onBody (param $buffer i32) (param $size i32) (param $end i32) (result i32)
    (if (i32.eqz (i32.or (local.get $end) (global.get $takesPieces)))
      (then (return (i32.const 1))))
    (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
    (if (i32.eqz
          (i32.or
            (call $get
              (local.get $buffer) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4))
            (global.get $onlyReads)))
      (then
        (drop
          (call $set
            (local.get $buffer) (i32.const 0) (local.get $size)
            (i32.load (i32.const 0)) (i32.load (i32.const 4))))))
    (i32.const 0))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (call $onBody (i32.const 0) (local.get 1) (local.get 2)))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
    (call $onBody (i32.const 1) (local.get 1) (local.get 2))))
