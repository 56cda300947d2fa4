/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * sluice_pci_uapi.h - what the sluice_pci kernel module and its users agree on
 *
 * Objects, each one a file descriptor (all are opened close-on-exec):
 *
 *   group   open("/dev/sluice/N"). One opener. Opening claims the DMA ownership of the IOMMU group: from
 *           then on no member can DMA anywhere until the group is attached to a space.
 *   space   an IOMMU domain with the user memory mapped in it; from GROUP_NEW_SPACE. Any number of groups
 *           attach to it. It lives until its last fd is closed and its last group is gone.
 *   device  one PCI function; from GROUP_GET_DEVICE. Counted: the first one enables the device and begins a
 *           tenure, closing the last one quiesces, resets and restores it. It keeps its group open.
 *   BAR     mmap() and nothing else, for one BAR; from DEVICE_BAR_FD. It does not hold the device open, and
 *           its mappings raise SIGBUS for good once its tenure has ended.
 *
 * Rules for every ioctl:
 *   - The argument points to a struct that begins with { __u32 size; __u32 flags; }. The caller sets size to
 *     the sizeof that it was compiled with, and zeroes what it does not use.
 *   - size below the first version of the struct: EINVAL. Larger than the module knows, and the tail is not
 *     all zero: E2BIG. An unknown flag, or a reserved field that is not zero: EINVAL.
 *   - Structs grow only at their end. On return, size is the smaller of the caller's size and the module's,
 *     and the module has filled no more than that.
 *   - Calls that make an fd return it; all others return 0.
 *   - ENOTTY: no such ioctl on this fd. ENODEV: the device (of a group: its last device) is gone or revoked.
 *   - EFAULT: a bad user pointer. Other errors stand with each call.
 *
 * All numbers are in host byte order, except config space bytes, which are as the bus has them
 * (little-endian). All sizes and offsets are in bytes.
 */
#ifndef SLUICE_PCI_UAPI_H
#define SLUICE_PCI_UAPI_H

#include <linux/types.h>
#include <linux/ioctl.h>

/** Raised when a program must know of a change to be correct. Additions show in features instead. */
#define SLUICE_API_VERSION 1

/* The number encodes no struct size, since structs grow. */
#define SLUICE_IOC_TYPE 0xBD
#define SLUICE_IOC(nr) _IO(SLUICE_IOC_TYPE, nr)

/* ---- any fd but a BAR's ------------------------------------------------------------------------------ */

#define SLUICE_FEATURE_MSIX_DYNAMIC (1ULL << 0) /**< this kernel can add MSI-X vectors while others are live */
#define SLUICE_FEATURE_NOIOMMU      (1ULL << 1) /**< loaded with enable_unsafe_noiommu_mode */

/** VERSION: what is loaded. flags: none. */
struct sluice_version {
	__u32 size;
	__u32 flags;
	__u32 version;           /**< out: SLUICE_API_VERSION of the module */
	__u32 reserved;
	__aligned_u64 features;  /**< out: SLUICE_FEATURE_* */
};
#define SLUICE_VERSION SLUICE_IOC(0)

/* ---- group fd ---------------------------------------------------------------------------------------- *
 * open("/dev/sluice/N") fails with
 *   EBUSY        the group is open already, or a member is bound to a driver that uses the kernel's DMA
 *   EPERM        interrupts of this group are not isolated (and allow_unsafe_interrupts is off); a no-IOMMU
 *                node without CAP_SYS_RAWIO
 *   EOPNOTSUPP   DMA of a member is not cache coherent
 *   ENODEV       the last device has left
 * The kernel log says why. /sys/class/sluice/N/state says it without opening: idle (may be opened), open, blocked (a
 * member's driver uses the kernel's DMA), unsafe (interrupts not isolated), incoherent, noiommu, removed.
 */

#define SLUICE_GROUP_HAS_SPACE         (1U << 0) /**< attached to a space */
#define SLUICE_GROUP_NOIOMMU           (1U << 1) /**< no IOMMU behind this group: spaces and MAP are refused */
#define SLUICE_GROUP_UNSAFE_INTERRUPTS (1U << 2) /**< MSI is not isolated; open because the parameter allows it */

/** GROUP_INFO. flags: in 0, out SLUICE_GROUP_*. */
struct sluice_group_info {
	__u32 size;
	__u32 flags;
	__s32 iommu_group;   /**< out: number in /sys/kernel/iommu_groups, -1 without an IOMMU */
	__u32 minor;         /**< out: N of /dev/sluice/N */
	__u32 num_devices;   /**< out: members bound to sluice-pci */
	__u32 num_open;      /**< out: of these, how many are open */
};
#define SLUICE_GROUP_INFO SLUICE_IOC(1)

/**
 * GROUP_NEW_SPACE: returns a space fd. flags: none. The space is empty, and suits this group's IOMMU; the
 * group is not attached by it. EOPNOTSUPP on a no-IOMMU group.
 */
struct sluice_group_new_space {
	__u32 size;
	__u32 flags;
};
#define SLUICE_GROUP_NEW_SPACE SLUICE_IOC(2)

/**
 * GROUP_ATTACH: let the group's devices DMA through a space. flags: none.
 * EBUSY attached already. EINVAL the fd is not a space, the group's IOMMU cannot take this domain (make a second
 * space), or something mapped there overlaps one of this group's reserved ranges. EOPNOTSUPP no-IOMMU group.
 */
struct sluice_group_attach {
	__u32 size;
	__u32 flags;
	__s32 space_fd;
	__u32 reserved;
};
#define SLUICE_GROUP_ATTACH SLUICE_IOC(3)

/** GROUP_DETACH: the reverse. flags: none. EINVAL not attached. EBUSY a device of the group is open. */
struct sluice_group_detach {
	__u32 size;
	__u32 flags;
};
#define SLUICE_GROUP_DETACH SLUICE_IOC(4)

#define SLUICE_NAME_MAX 32

/**
 * GROUP_GET_DEVICE: returns a device fd. flags: none. name is the address as sysfs spells it, "0000:01:00.0",
 * zero-terminated. A space is not needed: without one the device's DMA is blocked.
 * ENODEV no such member bound to sluice-pci, or it is being removed. EBUSY a PF whose VFs are enabled.
 * EAGAIN the device was busy being reset: try again. EINVAL the name is not terminated.
 */
struct sluice_group_get_device {
	__u32 size;
	__u32 flags;
	char name[SLUICE_NAME_MAX];
};
#define SLUICE_GROUP_GET_DEVICE SLUICE_IOC(5)

/* ---- space fd ---------------------------------------------------------------------------------------- */

struct sluice_iova_range {
	__aligned_u64 first;
	__aligned_u64 last;   /**< inclusive */
};

/**
 * SPACE_INFO. flags: none. In: ranges points to room for num_ranges entries (0 and 0 to ask for the number).
 * Out: num_ranges is the number that there are; as many as fit were written, ascending.
 * Ranges are the aperture less the reserved ranges of every group attached (and of the one it was made from),
 * so that attaching can shrink them.
 */
struct sluice_space_info {
	__u32 size;
	__u32 flags;
	__u32 num_ranges;          /**< in: capacity, out: number */
	__u32 address_bits;        /**< out: bits of the highest usable IOVA */
	__aligned_u64 ranges;      /**< in: pointer to struct sluice_iova_range[] */
	__aligned_u64 page_sizes;  /**< out: bitmap; the lowest bit is the granule of MAP */
	__u32 entry_limit;         /**< out: mappings that this space may hold */
	__u32 entries;             /**< out: mappings that it holds */
	__aligned_u64 locked;      /**< out: bytes pinned and charged to RLIMIT_MEMLOCK */
};
#define SLUICE_SPACE_INFO SLUICE_IOC(16)

#define SLUICE_MAP_READ  (1U << 0) /**< the device may read */
#define SLUICE_MAP_WRITE (1U << 1) /**< the device may write */

/**
 * SPACE_MAP: pin the caller's memory and map it at iova. flags: SLUICE_MAP_READ, _WRITE, at least one.
 * All or nothing.
 * EINVAL no access asked, length 0, vaddr, iova or length not a multiple of the granule, a sum that wraps, or not
 * inside one published range. EINTR killed. EEXIST overlaps a mapping. ENOSPC entry limit. ENOMEM RLIMIT_MEMLOCK, or no memory.
 * EFAULT memory that is not there, not writable when WRITE is asked, or not ordinary memory (a BAR).
 */
struct sluice_space_map {
	__u32 size;
	__u32 flags;
	__aligned_u64 vaddr;
	__aligned_u64 iova;
	__aligned_u64 length;
};
#define SLUICE_SPACE_MAP SLUICE_IOC(17)

#define SLUICE_UNMAP_ALL (1U << 0) /**< everything; iova and length must be 0 */

/**
 * SPACE_UNMAP: unmap and unpin every mapping inside [iova, iova + length). flags: SLUICE_UNMAP_ALL. When it
 * returns, no device reaches that memory any more.
 * EINVAL unaligned, length 0, a sum that wraps, or the range cuts a mapping in two (nothing is unmapped then).
 * ENOENT nothing is mapped there (never with SLUICE_UNMAP_ALL). EBUSY another thread is mapping there.
 */
struct sluice_space_unmap {
	__u32 size;
	__u32 flags;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 unmapped;  /**< out: bytes */
};
#define SLUICE_SPACE_UNMAP SLUICE_IOC(18)

/* ---- device fd --------------------------------------------------------------------------------------- */

/* Regions. The same numbers as kernel VFIO's. */
#define SLUICE_REGION_BAR0   0
#define SLUICE_REGION_BAR1   1
#define SLUICE_REGION_BAR2   2
#define SLUICE_REGION_BAR3   3
#define SLUICE_REGION_BAR4   4
#define SLUICE_REGION_BAR5   5
#define SLUICE_REGION_ROM    6
#define SLUICE_REGION_CONFIG 7
#define SLUICE_NUM_REGIONS   8

/**
 * pread(), pwrite() and mmap() on the device fd take the region in the upper bits of the offset.
 *
 * Reads and writes of BARs and ROM are made in the largest naturally aligned pieces of at most 4 bytes. EINVAL: outside the region, or none there. EIO: memory decoding
 * is off or the device is not in D0. The MSI-X table reads as ones and writes to it are dropped.
 *
 * Config reads are raw hardware, in naturally aligned pieces of 1, 2 and 4 bytes. Config writes reach hardware only
 * in the bits of the floor (FLOOR_GET); other bits are dropped without an error. COMMAND.INTX_DISABLE is taken as
 * a wish to mask INTx (the hardware bit is the module's); writing COMMAND.MEMORY zaps or re-arms the mappings of
 * all BARs. EFAULT: any byte outside config space; nothing has been done then.
 *
 * A read or write of 0 bytes returns 0. mmap() needs MAP_SHARED, and works on BARs with SLUICE_REGION_MMAP.
 * Touching a mapping while memory decoding is off, the device is below D0, revoked, or its tenure is over: SIGBUS.
 */
#define SLUICE_REGION_SHIFT 40
#define SLUICE_REGION_OFFSET(region) (((region) + 0ULL) << SLUICE_REGION_SHIFT)

/* Interrupt kinds. The same numbers as kernel VFIO's. */
#define SLUICE_IRQ_INTX 0
#define SLUICE_IRQ_MSI  1
#define SLUICE_IRQ_MSIX 2
#define SLUICE_IRQ_ERR  3 /**< the device reported an uncorrectable error */
#define SLUICE_IRQ_REQ  4 /**< please close the device: it is being unbound or unplugged */
#define SLUICE_NUM_IRQS 5

#define SLUICE_DEVICE_RESET         (1U << 0) /**< RESET works (found out at open) */
#define SLUICE_DEVICE_PCIE          (1U << 1)
#define SLUICE_DEVICE_VF            (1U << 2) /**< config space has ffff for the ids; those below are right */
#define SLUICE_DEVICE_NO_CMD_MEMORY (1U << 3) /**< does not implement COMMAND.MEMORY; the module keeps a virtual one */
#define SLUICE_DEVICE_POWER         (1U << 4) /**< has a usable power management capability */
#define SLUICE_DEVICE_VPD           (1U << 5) /**< has a VPD capability */
#define SLUICE_DEVICE_FLOOR_SEALED  (1U << 6)
#define SLUICE_DEVICE_VGA           (1U << 7)

/** DEVICE_INFO. flags: in 0, out SLUICE_DEVICE_*. */
struct sluice_device_info {
	__u32 size;
	__u32 flags;
	__u32 num_regions;      /**< out: SLUICE_NUM_REGIONS, or more in later versions */
	__u32 num_irqs;         /**< out: SLUICE_NUM_IRQS, or more in later versions */
	__u32 config_size;      /**< out: 256 or 4096 */
	__u32 power_state;      /**< out: 0 (D0) to 4 (D3cold), as the kernel sees it */
	__u32 msix_bar;         /**< out: BAR with the MSI-X table, SLUICE_NO_BAR if there is no MSI-X */
	__u32 msix_offset;      /**< out: of the table, in that BAR */
	__u32 msix_size;        /**< out: of the table: 16 a vector */
	__u16 vendor;           /**< out: ids as the kernel has them: right for a VF, too */
	__u16 device;
	__u16 subsystem_vendor;
	__u16 subsystem_device;
	__u32 class_code;       /**< out: 24 bits: base, sub, interface */
	__u8 revision;
	__u8 irq_pin;           /**< out: 0 if there is no usable INTx */
	__u16 reserved;
	__u32 segment;          /**< out: PCI address */
	__u8 bus;
	__u8 devfn;
	__u16 reserved2;
	__s32 numa_node;        /**< out: -1 if not known */
	__aligned_u64 tenure;   /**< out: goes up by one each time the device is opened anew */
};
#define SLUICE_NO_BAR 0xffffffffU
#define SLUICE_DEVICE_INFO SLUICE_IOC(32)

#define SLUICE_REGION_READ     (1U << 0)
#define SLUICE_REGION_WRITE    (1U << 1)
#define SLUICE_REGION_MMAP     (1U << 2)
#define SLUICE_REGION_IO       (1U << 3) /**< I/O ports: pread and pwrite only */
#define SLUICE_REGION_64BIT    (1U << 4) /**< a 64-bit memory BAR; the next index is its upper half, of size 0 */
#define SLUICE_REGION_PREFETCH (1U << 5)

/** REGION_INFO. flags: in 0, out SLUICE_REGION_*. EINVAL no such index. A region that is not there has size 0, flags 0. */
struct sluice_region_info {
	__u32 size;
	__u32 flags;
	__u32 index;           /**< in: SLUICE_REGION_* */
	__u32 reserved;
	__aligned_u64 length;  /**< out */
	__aligned_u64 offset;  /**< out: for pread, pwrite and mmap: SLUICE_REGION_OFFSET(index) */
};
#define SLUICE_REGION_INFO SLUICE_IOC(33)

/**
 * DEVICE_BAR_FD: returns a BAR fd of the present tenure. flags: none. mmap() offsets begin at 0.
 * EINVAL not a BAR with SLUICE_REGION_MMAP.
 */
struct sluice_device_bar_fd {
	__u32 size;
	__u32 flags;
	__u32 index;     /**< in: SLUICE_REGION_BAR0 to _BAR5 */
	__u32 reserved;
};
#define SLUICE_DEVICE_BAR_FD SLUICE_IOC(34)

#define SLUICE_IRQ_EVENTFD    (1U << 0) /**< can be signalled through an eventfd */
#define SLUICE_IRQ_MASKABLE   (1U << 1) /**< takes SLUICE_SET_MASK and _UNMASK */
#define SLUICE_IRQ_AUTOMASKED (1U << 2) /**< masked by the module when it fires; unmask to get the next */
#define SLUICE_IRQ_NORESIZE   (1U << 3) /**< vectors cannot be added once enabled: ask for all at first */

/** IRQ_INFO. flags: in 0, out SLUICE_IRQ_*. EINVAL no such index. count 0: not there. */
struct sluice_irq_info {
	__u32 size;
	__u32 flags;
	__u32 index;     /**< in: SLUICE_IRQ_INTX to _REQ */
	__u32 count;     /**< out: vectors that the device has */
};
#define SLUICE_IRQ_INFO SLUICE_IOC(35)

#define SLUICE_SET_DATA_NONE    (1U << 0)
#define SLUICE_SET_DATA_EVENTFD (1U << 1) /**< data points to __s32[count] */
#define SLUICE_SET_MASK         (1U << 2)
#define SLUICE_SET_UNMASK       (1U << 3)
#define SLUICE_SET_TRIGGER      (1U << 4)

/**
 * SET_IRQS. flags: exactly one SLUICE_SET_DATA_* and exactly one of MASK, UNMASK, TRIGGER:
 *
 *   TRIGGER | DATA_EVENTFD, count > 0
 *       Signal these eventfds; -1 takes one away and keeps the vector. If the kind is off, this turns it on with
 *       start + count vectors (vectors below start have no eventfd). If it is on and start + count is more than
 *       it has: EINVAL when IRQ_INFO says NORESIZE, else vectors are added live. INTX, MSI and MSIX exclude each
 *       other: EINVAL while another is on. INTX is on and unmasked when this returns (-1 for INTX: turns it off).
 *       Memory decoding may be off: the module turns it on for the moment. For ERR and REQ start 0, count 1.
 *   TRIGGER | DATA_NONE, count == 0, start == 0
 *       Turn the kind off. Not an error if it is off.
 *   TRIGGER | DATA_NONE, count > 0
 *       Signal the eventfds as if the device had: for tests. EINVAL the kind is off (of ERR, REQ: no eventfd).
 *   MASK | DATA_NONE, UNMASK | DATA_NONE, count 1
 *       INTX alone.
 *   UNMASK | DATA_EVENTFD, count 1
 *       INTX alone, which must be on: unmask whenever this eventfd is signalled, -1 ends that.
 *
 * EINVAL any other combination, or start + count more than the device has. EBUSY the line cannot be shared as this device
 * needs it. ENOSPC fewer vectors were to be had than asked: nothing is on. EBADF, EINVAL an fd that is no
 * eventfd. On an error in the middle of a list nothing has changed, except that vectors that were added stay.
 */
struct sluice_set_irqs {
	__u32 size;
	__u32 flags;
	__u32 index;
	__u32 start;
	__u32 count;
	__u32 reserved;
	__aligned_u64 data;  /**< in: pointer to __s32[count] with DATA_EVENTFD, else 0 */
};
#define SLUICE_SET_IRQS SLUICE_IOC(36)

/**
 * RESET the function, by whichever method the kernel has for it; config space is as before afterwards, BARs
 * included. Interrupts stay configured. flags: none.
 * EOPNOTSUPP no method. EAGAIN the device is locked (being removed, or reset by somebody else): try again.
 */
struct sluice_reset {
	__u32 size;
	__u32 flags;
};
#define SLUICE_RESET SLUICE_IOC(37)

/**
 * SET_POWER_STATE: flags: none. EINVAL above D3hot, or a change that PCI forbids (D2 to D1…). EIO no such state.
 * EBUSY a PF whose VFs are enabled.
 * Outside D0 BARs are not reachable. A device that loses its state on the way back (no No_Soft_Reset) gets its
 * config space back.
 */
struct sluice_set_power_state {
	__u32 size;
	__u32 flags;
	__u32 state;     /**< in: 0 (D0), 1, 2, 3 (D3hot); out: the state that the device is in */
	__u32 reserved;
};
#define SLUICE_SET_POWER_STATE SLUICE_IOC(38)

/**
 * SET_READRQ: the largest read request. flags: none.
 * EINVAL not PCI Express, not a power of two from 128 to 4096, less than the payload size that the device was given, or
 * more than the host lets it have.
 */
struct sluice_set_readrq {
	__u32 size;
	__u32 flags;
	__u32 bytes;     /**< in: wanted, out: what the device has now */
	__u32 reserved;
};
#define SLUICE_SET_READRQ SLUICE_IOC(39)

/**
 * VPD_READ, VPD_WRITE. flags: none. Reads are clipped at the end of the VPD; writes take multiples of 4 only and fail
 * with EINVAL past the end. ENODEV no VPD. ETIMEDOUT the device did not answer.
 */
struct sluice_vpd {
	__u32 size;
	__u32 flags;
	__u32 offset;        /**< in: below 32768 */
	__u32 length;        /**< in: at most 32768, out: bytes moved */
	__aligned_u64 data;  /**< in: pointer */
};
#define SLUICE_VPD_READ  SLUICE_IOC(40)
#define SLUICE_VPD_WRITE SLUICE_IOC(41)

/*
 * The floor: for each bit of config space, whether a user's write of it may reach hardware. The module computes
 * a list at the first open; the user can only take bits away, until the last close, and then nobody can.
 */
#define SLUICE_FLOOR_EFFECTIVE 0 /**< what counts now */
#define SLUICE_FLOOR_LIST      1 /**< the module's list, before anything was taken away */
#define SLUICE_FLOOR_W1C       2 /**< those of LIST that a written one clears, and a zero leaves alone */

/**
 * FLOOR_GET: read masks of bytes [offset, offset + length). flags: none.
 * FLOOR_SET: effective &= mask there; what lies outside [offset, offset + length) stays. flags: none. which is 0.
 * EINVAL outside config space, or length 0. EPERM (SET) sealed.
 */
struct sluice_floor {
	__u32 size;
	__u32 flags;
	__u32 which;         /**< in: SLUICE_FLOOR_* (GET) */
	__u32 offset;        /**< in: of the first byte */
	__u32 length;        /**< in: bytes, at most config_size - offset */
	__u32 reserved;
	__aligned_u64 mask;  /**< in: pointer to length bytes; bit n of byte b stands for bit n of config byte offset + b */
};
#define SLUICE_FLOOR_GET SLUICE_IOC(42)
#define SLUICE_FLOOR_SET SLUICE_IOC(43)

/** FLOOR_SEAL: no FLOOR_SET until the last close. flags: none. Not an error if sealed. */
struct sluice_floor_seal {
	__u32 size;
	__u32 flags;
};
#define SLUICE_FLOOR_SEAL SLUICE_IOC(44)

#endif
