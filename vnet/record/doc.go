// Package record keeps the last frames of a switch and hands them out: to a
// capture file, to a list in a browser, to a check that asks what went over the
// wire.
//
// # The ring
//
// A Ring is memory of a fixed size, cut into chunks that are written from begin
// to end. The switch's loop is its one writer. It stores each frame once, as it
// came from a guest, and for each port that the frame met an entry of 32 bytes
// that refers to it: delivered, or what else became of it, and what was done
// to its VLAN tag. A frame costs one copy and a few stores, in memory that no
// reader looks at: nothing is allocated, locked or waited for. Once a round
// Publish moves the mark up to which readers may look, which is one atomic store.
//
// Readers hold a chunk with a counter while they walk through it and copy what
// they are asked for, some 128 KiB at a time, and let go of it before anything
// is done with what they found. A chunk that is held when its turn comes to be
// written anew is left aside and one of three spare ones taken instead; when all
// those are held too, which takes as many readers that were each stopped by the
// scheduler in the midst of a copy, frames are not recorded until one is let go. So
// a reader never holds the switch up, the memory is bounded, and a reader that is
// slower than the switch loses the oldest frames and is told how many
// (Frame.Missed, Reader.Missed).
//
// Readers that wait for frames are woken through a channel that the writer
// closes, if there is one, and ask for that at most every 2 ms.
//
// What an offloading guest sends in one piece of up to 64 KiB is stored as it
// is, with what is left to do for it. It is cut into frames with complete
// checksums when it is read.
//
// # Times
//
// Times are nanoseconds of the host's monotonic clock, added to the time of day
// at which the Ring was made: within a recording they never go back, whatever
// is done to the time of day. The switch reads the clock once for all frames
// that come in one batch, and once for all that go out in one: under load up
// to 64 frames have one time, otherwise each has its own.
//
// # What it is worth
//
// What is recorded is what the switch saw. A student with root in every machine
// of a lab can send what he likes, but cannot make a frame have come from another
// port, or not have come.
package record
