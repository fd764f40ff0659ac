/**
 * The bytes of every file of a tree in version 1 of all formats, as they stand on disk.
 *
 * They never change: a module that reads version 1 reads exactly these. Each line is a field of the grammar in the header of
 * its source (`core/file_header.ts`, `record.ts`, `batch.ts`, `edit.ts`, `history.ts`, `manifest.ts`, `frame.ts`, `block.ts`,
 * `segment.ts`), in hexadecimal digits, with what it says behind a `#`. A second program, written from these grammars
 * alone, made the division into fields and checked every checksum.
 *
 * Text and no binary files, so that the tests that compare them need no permission.
 *
 * @module
 */

/** Journal 5: two batches and a closing record. */
export const JOURNAL_DUMP = `
# file header
4c534d54                          # magic "LSMT"
4a                                # kind "J"
01                                # version 1
0000                              # zero
0500000000000000                  # id 5
0001020304050607                  # salt
0477edfb                          # checksum, the seed of all others
# record: batch
0d9dbe73                          # checksum of the header
1a000000                          # payload of 26 bytes
d1613b42                          # checksum of the payload
08000000000000                    # number 8
01                                # kind 1
0700000000000000                  # durable 7
02000000                          # 2 operations
01                                # put
0500                              # key of 5 bytes
03000000                          # value of 3 bytes
6170706c65                        # key
726564                            # value
02                                # remove
0400                              # key: 4 bytes
70656172                          # "pear"
# record: batch
576de97f                          # checksum of the header
0e000000                          # payload of 14 bytes
6b7938ea                          # checksum of the payload
09000000000000                    # number 9
01                                # kind 1
0800000000000000                  # durable 8
02000000                          # 2 operations
07                                # clear
01                                # put
0200                              # key of 2 bytes
00000000                          # value of 0 bytes
c3a9                              # key
# record: closing
43b40d04                          # checksum of the header
00000000                          # payload of 0 bytes
b8863359                          # checksum of the payload
09000000000000                    # number 9
03                                # kind 3
0900000000000000                  # durable 9
`;

/** Manifest 7: three edits with their marks and a closing record; a history in front of the first may be missing. */
export const MANIFEST_DUMP = `
# file header
4c534d54                          # magic "LSMT"
4d                                # kind "M"
01                                # version 1
0000                              # zero
0700000000000000                  # id 7
0001020304050607                  # salt
f4f4099d                          # checksum, the seed of all others
# record: edit
179c8d2b                          # checksum of the header
65000000                          # payload of 101 bytes
afabc3b6                          # checksum of the payload
01000000000000                    # number 1
02                                # kind 2
0000000000000000                  # durable 0
00                                # cause 0
0000                              # reason: 0 bytes
0068e5cf8b010000                  # time 1700000000000
0100000000000000                  # nextId 1
0000000000000000                  # flushedSeqno 0
00000000                          # 0 removed
00000000                          # 0 added
03                                # parts 3
0000000100000000                  # maxMemtableSize 16777216
00100000                          # blockSize 4096
07                                # levelCount 7
0000000000002440                  # levelRatio 10
0000000000002440                  # filterBitsPerKey 10
00                                # compression 0
0700                              # strategy: 7 bytes
6c6576656c6564                    # "leveled"
00                                # custom 0
00                                # 0 options
00000000                          # hashSeed 0
0000000000000000                  # fence: nextId 0
0000000000000000                  # lastSeqno 0
00000000                          # 0 journals
# record: mark
c06a3938                          # checksum of the header
00000000                          # payload of 0 bytes
79550c95                          # checksum of the payload
01000000000000                    # number 1
04                                # kind 4
0000000000000000                  # durable 0
# record: edit
d3a94756                          # checksum of the header
81000000                          # payload of 129 bytes
e5f9c682                          # checksum of the payload
02000000000000                    # number 2
02                                # kind 2
0900000000000000                  # durable 9
04                                # cause 4
0400                              # reason: 4 bytes
66756c6c                          # "full"
0168e5cf8b010000                  # time 1700000000001
0d00000000000000                  # nextId 13
0900000000000000                  # flushedSeqno 9
00000000                          # 0 removed
01000000                          # 1 added
00                                # level 0
00000000                          # index 0
00                                # join 0
01000000                          # 1 segment
0c00000000000000                  # id 12
5301000000000000                  # size 339
0300000000000000                  # entries 3
0100000000000000                  # tombstones 1
0300000000000000                  # seqnoMin 3
0900000000000000                  # seqnoMax 9
0068e5cf8b010000                  # writtenAt 1700000000000
0001020304050607                  # salt
0500                              # minKey: 5 bytes
6170706c65                        # "apple"
0600                              # maxKey: 6 bytes
636865727279                      # "cherry"
00                                # parts 0
# record: mark
0b7bf16e                          # checksum of the header
00000000                          # payload of 0 bytes
826615c3                          # checksum of the payload
02000000000000                    # number 2
04                                # kind 4
0900000000000000                  # durable 9
# record: edit
d2f2379c                          # checksum of the header
93000000                          # payload of 147 bytes
ba3a8d67                          # checksum of the payload
03000000000000                    # number 3
02                                # kind 2
0a00000000000000                  # durable 10
07                                # cause 7
0200                              # reason: 2 bytes
c3a9                              # "é"
0268e5cf8b010000                  # time 1700000000002
0e00000000000000                  # nextId 14
0900000000000000                  # flushedSeqno 9
01000000                          # 1 removed
0c00000000000000                  # segment 12
00000000                          # 0 added
03                                # parts 3
0000000100000000                  # maxMemtableSize 16777216
00100000                          # blockSize 4096
07                                # levelCount 7
0000000000002440                  # levelRatio 10
0000000000002440                  # filterBitsPerKey 10
02                                # compression 2
0400                              # strategy: 4 bytes
6669666f                          # "fifo"
00                                # custom 0
01                                # 1 option
0500                              # option: 5 bytes
6c696d6974                        # "limit"
0000000080842e41                  # value 1e+06
0d0c0b0a                          # hashSeed 168496141
0600000000000000                  # fence: nextId 6
0a00000000000000                  # lastSeqno 10
01000000                          # 1 journal
0500000000000000                  # journal 5
7c00000000000000                  # validBytes 124
0a00000000000000                  # lastSeqno 10
# record: mark
1255b61f                          # checksum of the header
00000000                          # payload of 0 bytes
25e51349                          # checksum of the payload
03000000000000                    # number 3
04                                # kind 4
0a00000000000000                  # durable 10
# record: closing
37be2a1c                          # checksum of the header
00000000                          # payload of 0 bytes
d99522bf                          # checksum of the payload
03000000000000                    # number 3
03                                # kind 3
0a00000000000000                  # durable 10
`;

/** Manifest 8: a history of two edits, the snapshot that holds what came of them, and a closing record. */
export const HISTORY_DUMP = `
# file header
4c534d54                          # magic "LSMT"
4d                                # kind "M"
01                                # version 1
0000                              # zero
0800000000000000                  # id 8
0001020304050607                  # salt
ce93e313                          # checksum, the seed of all others
# record: history
b4e10672                          # checksum of the header
24010000                          # payload of 292 bytes
fc8ff0fe                          # checksum of the payload
03000000000000                    # number 3
05                                # kind 5
0a00000000000000                  # durable 10
0100000000000000                  # forgotten 1
81000000                          # edit 2 of 129 bytes
04                                # cause 4
0400                              # reason: 4 bytes
66756c6c                          # "full"
0168e5cf8b010000                  # time 1700000000001
0d00000000000000                  # nextId 13
0900000000000000                  # flushedSeqno 9
00000000                          # 0 removed
01000000                          # 1 added
00                                # level 0
00000000                          # index 0
00                                # join 0
01000000                          # 1 segment
0c00000000000000                  # id 12
5301000000000000                  # size 339
0300000000000000                  # entries 3
0100000000000000                  # tombstones 1
0300000000000000                  # seqnoMin 3
0900000000000000                  # seqnoMax 9
0068e5cf8b010000                  # writtenAt 1700000000000
0001020304050607                  # salt
0500                              # minKey: 5 bytes
6170706c65                        # "apple"
0600                              # maxKey: 6 bytes
636865727279                      # "cherry"
00                                # parts 0
93000000                          # edit 3 of 147 bytes
07                                # cause 7
0200                              # reason: 2 bytes
c3a9                              # "é"
0268e5cf8b010000                  # time 1700000000002
0e00000000000000                  # nextId 14
0900000000000000                  # flushedSeqno 9
01000000                          # 1 removed
0c00000000000000                  # segment 12
00000000                          # 0 added
03                                # parts 3
0000000100000000                  # maxMemtableSize 16777216
00100000                          # blockSize 4096
07                                # levelCount 7
0000000000002440                  # levelRatio 10
0000000000002440                  # filterBitsPerKey 10
02                                # compression 2
0400                              # strategy: 4 bytes
6669666f                          # "fifo"
00                                # custom 0
01                                # 1 option
0500                              # option: 5 bytes
6c696d6974                        # "limit"
0000000080842e41                  # value 1e+06
0d0c0b0a                          # hashSeed 168496141
0600000000000000                  # fence: nextId 6
0a00000000000000                  # lastSeqno 10
01000000                          # 1 journal
0500000000000000                  # journal 5
7c00000000000000                  # validBytes 124
0a00000000000000                  # lastSeqno 10
# record: edit
f78fdce5                          # checksum of the header
89000000                          # payload of 137 bytes
f8db6040                          # checksum of the payload
03000000000000                    # number 3
02                                # kind 2
0a00000000000000                  # durable 10
08                                # cause 8
0000                              # reason: 0 bytes
0368e5cf8b010000                  # time 1700000000003
0e00000000000000                  # nextId 14
0900000000000000                  # flushedSeqno 9
00000000                          # 0 removed
00000000                          # 0 added
03                                # parts 3
0000000100000000                  # maxMemtableSize 16777216
00100000                          # blockSize 4096
07                                # levelCount 7
0000000000002440                  # levelRatio 10
0000000000002440                  # filterBitsPerKey 10
02                                # compression 2
0400                              # strategy: 4 bytes
6669666f                          # "fifo"
00                                # custom 0
01                                # 1 option
0500                              # option: 5 bytes
6c696d6974                        # "limit"
0000000080842e41                  # value 1e+06
0d0c0b0a                          # hashSeed 168496141
0600000000000000                  # fence: nextId 6
0a00000000000000                  # lastSeqno 10
01000000                          # 1 journal
0500000000000000                  # journal 5
7c00000000000000                  # validBytes 124
0a00000000000000                  # lastSeqno 10
# record: closing
357fc49d                          # checksum of the header
00000000                          # payload of 0 bytes
7f48c91e                          # checksum of the payload
03000000000000                    # number 3
03                                # kind 3
0a00000000000000                  # durable 10
`;

/** `CURRENT`, naming manifest 7. */
export const CURRENT_DUMP = `
# the whole file is one line of text
6d616e69666573742d30303030303720  # "manifest-000007 "
6166656162663763                  # "afeabf7c", the checksum of what stands before
0a                                # line end
`;

/** Segment 12: two blocks that are not compressed. */
export const SEGMENT_DUMP = `
# file header
4c534d54                          # magic "LSMT"
53                                # kind "S"
01                                # version 1
0000                              # zero
0c00000000000000                  # id 12
0001020304050607                  # salt
0b3fec3e                          # checksum, the seed of all others
# frame: data 0
0ce921e0                          # checksum
21000000                          # 33 bytes before compression
00                                # codec 0
01                                # type 1
0000                              # zero
02000000                          # 2 entries
08                                # flags 8
0000                              # prefix of 0 bytes
0500                              # key 0 ends at 5
0b00                              # key 1 ends at 11
0300                              # value 0 ends at 3
0300                              # value 1 ends at 3
0102                              # kinds
30f4                              # tags
6170706c6562616e616e61            # keys
726564                            # values
# frame: data 1
a2457d3b                          # checksum
1e000000                          # 30 bytes before compression
00                                # codec 0
01                                # type 1
0000                              # zero
01000000                          # 1 entry
0f                                # flags 15
0600                              # prefix of 6 bytes
0000                              # keys of 0 bytes
0a000000                          # values of 10 bytes
85                                # tags
636865727279                      # prefix
cccccccccccccccccccc              # values
# frame: filter
3857352c                          # checksum
41000000                          # 65 bytes before compression
00                                # codec 0
02                                # type 2
0000                              # zero
06                                # 6 probes
000000000000000040000200a0000000  # bits
00008000000000000000018000100200  # bits
00000000000000002020200000001000  # bits
00800000000400000104000000000100  # bits
# frame: index
e583d82a                          # checksum
18000000                          # 24 bytes before compression
00                                # codec 0
03                                # type 3
0000                              # zero
02000000                          # 2 entries
06                                # flags 6
0000                              # prefix of 0 bytes
0000                              # key 0 ends at 0
0100                              # key 1 ends at 1
04000000                          # values of 4 bytes
63                                # keys
2d0000002a000000                  # values
# frame: properties
a16126bd                          # checksum
4b000000                          # 75 bytes before compression
00                                # codec 0
04                                # type 4
0000                              # zero
0300000000000000                  # entries 3
0100000000000000                  # tombstones 1
0300000000000000                  # seqnoMin 3
0900000000000000                  # seqnoMax 9
0068e5cf8b010000                  # writtenAt 1700000000000
0200000000000000                  # blocks 2
3f00000000000000                  # rawBytes 63
0d0c0b0a                          # hashSeed 168496141
0500                              # minKey: 5 bytes
6170706c65                        # "apple"
0600                              # maxKey: 6 bytes
636865727279                      # "cherry"
# footer
7300000000000000                  # filterOffset 115
4d000000                          # filterBytes 77
24000000                          # indexBytes 36
57000000                          # propertiesBytes 87
b8c007ca                          # checksum
`;

/** Returns the bytes of a dump. */
export function bytesOfDump(dump: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(dump.replaceAll(/#.*/g, "").replaceAll(/\s/g, ""));
}
