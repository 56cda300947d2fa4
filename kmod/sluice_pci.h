/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sluice_pci.h - the module's own types
 *
 * Lock order, outermost first:
 *   device_lock of the PCI device (the driver core's; only tried, never waited for, below any lock of ours)
 *   sluice_registry_lock     groups and their members come and go
 *   group->lock              open state, attachment; held while a device opens or closes
 *   device->lock             open count, interrupts, floor
 *   device->memory_lock      who may reach BARs
 *   device->irq_lock         eventfds, INTx mask, COMMAND (taken with interrupts off)
 * space->lock is taken below group->lock or alone.
 * A page fault holds the mmap lock and takes memory_lock, so under memory_lock, and since remove() waits for
 * the others also under those, no user memory is touched: no copy, no pinning. A stopped owner holds none of them.
 */
#ifndef SLUICE_PCI_H
#define SLUICE_PCI_H

#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "sluice_pci_uapi.h"

#define SLUICE_NUM_BARS PCI_STD_NUM_BARS

/**
 * struct sluice_group - an IOMMU group with at least one member bound to the module
 * @dev: class device, owns the memory; its minor is that of the node
 * @iommu_group: NULL for a no-IOMMU group
 * @entry: in the registry
 * @lock: protects all below
 * @devices: members bound to us
 * @num_devices: their number
 * @open_count: the group file and each device file
 * @gone: the last member has left; for good
 * @unsafe: opened though its MSI is not isolated
 * @claimed: DMA ownership is ours
 * @space: attached to, or NULL
 * @blocked: a member of the IOMMU group has a driver that uses the kernel's DMA; kept by @state_work
 * @state_work: recomputes @blocked after a driver came or went
 */
struct sluice_group {
	struct device dev;
	struct iommu_group *iommu_group;
	struct list_head entry;
	struct mutex lock;
	struct list_head devices;
	unsigned int num_devices;
	unsigned int open_count;
	bool gone;
	bool unsafe;
	bool claimed;
	struct sluice_space *space;
	bool blocked;
	struct work_struct state_work;
};

/**
 * struct sluice_vector - one MSI or MSI-X vector
 * @lock: protects @trigger against the handler
 * @trigger: signalled when it fires
 * @name: as /proc/interrupts shows it; set while the interrupt is requested
 */
struct sluice_vector {
	spinlock_t lock;
	struct eventfd_ctx *trigger;
	char *name;
	int irq;
};

/**
 * struct sluice_device - one PCI function bound to the module
 * @kref: the driver, each device file and each BAR file hold one
 * @pdev: referenced
 * @group: referenced
 * @entry: in @group->devices
 * @inode: whose mapping every device and BAR file has, so that one call zaps them all
 * @closed: woken when @open_count falls to 0
 * @lock: device mutex
 * @open_count: device files of this tenure
 * @removing: no more opens
 * @revoked: taken from its owner by remove(); for good
 * @can_reset: a function reset worked at open
 * @reset_owed: closed while remove() held the device: remove() resets
 * @pci_2_3: COMMAND.INTX_DISABLE works
 * @bars: bit per BAR that is there and ours
 * @io: BARs mapped for pread and pwrite
 * @saved: PCI state at open
 * @pm_saved: PCI state on the way to D3hot, for devices that lose it
 * @rbar: BARs and ROM at open
 * @msix_bar: where the MSI-X table is, with @msix_offset and @msix_size
 * @msi_count: MSI vectors that the device has
 * @floor: effective mask; with @floor_list and @floor_w1c one allocation of 3 * cfg_size bytes
 * @sealed: no more FLOOR_SET
 * @memory_lock: write to change, read to rely on: @live, @mem_on, power, the contents of @io
 * @live: open, not revoked
 * @mem_on: COMMAND.MEMORY as the user wants it
 * @tenure: opens so far
 * @irq_lock: protects @trigger, @masked, @virq_disabled and hardware's COMMAND
 * @irq_kind: SLUICE_IRQ_INTX, _MSI, _MSIX or SLUICE_NUM_IRQS for none
 * @vectors: of MSI and MSI-X
 * @num_vectors: allocated
 * @intx_name: of the INTx handler
 * @trigger: eventfds of INTX, ERR and REQ
 * @masked: INTx is masked
 * @virq_disabled: the user's INTX_DISABLE
 * @unmask: eventfd that unmasks INTx
 */
struct sluice_device {
	struct kref kref;
	struct pci_dev *pdev;
	struct sluice_group *group;
	struct list_head entry;
	struct inode *inode;
	wait_queue_head_t closed;

	struct mutex lock;
	unsigned int open_count;
	bool removing;
	bool revoked;
	bool can_reset;
	bool reset_owed;
	bool pci_2_3;
	u8 bars;
	void __iomem *io[SLUICE_NUM_BARS];
	struct pci_saved_state *saved;
	struct pci_saved_state *pm_saved;
	u32 rbar[SLUICE_NUM_BARS + 1];
	u32 msix_bar;
	u32 msix_offset;
	u32 msix_size;
	unsigned int msi_count;
	u8 *floor;
	u8 *floor_list;
	u8 *floor_w1c;
	bool sealed;

	struct rw_semaphore memory_lock;
	bool live;
	bool mem_on;
	u64 tenure;

	spinlock_t irq_lock;
	unsigned int irq_kind;
	struct sluice_vector *vectors;
	unsigned int num_vectors;
	char *intx_name;
	struct eventfd_ctx *trigger[SLUICE_NUM_IRQS];
	bool masked;
	bool virq_disabled;
	struct sluice_unmask *unmask;
};

/**
 * struct sluice_file - behind a device fd or a BAR fd
 * @sdev: referenced
 * @tenure: that it belongs to
 * @bar: of a BAR fd; negative for a device fd
 */
struct sluice_file {
	struct sluice_device *sdev;
	u64 tenure;
	int bar;
};

#define SLUICE_OUT  1	/* copy the struct back */
#define SLUICE_LOCK 2	/* hold the object's lock, and find it alive */

/* The largest struct of the uapi is well below. */
#define SLUICE_ARG_MAX 128

/**
 * struct sluice_ioctl - one ioctl of one kind of fd
 * @cmd: its number
 * @size: of its struct
 * @how: SLUICE_OUT, SLUICE_LOCK
 * @flags: that the caller may set
 * @fn: makes it, with the object and the struct; negative: -errno
 */
struct sluice_ioctl {
	unsigned int cmd;
	u16 size;
	u16 how;
	u32 flags;
	int (*fn)(void *obj, void *arg);
};

/* main.c */
extern unsigned int sluice_revoke_ms;
extern unsigned int sluice_dma_entry_limit;
extern bool sluice_allow_unsafe_interrupts;
extern bool sluice_enable_noiommu;
extern struct workqueue_struct *sluice_state_wq;
long sluice_ioctl(const struct sluice_ioctl *table, unsigned int count, void *obj, struct mutex *lock,
		  const bool *dead, unsigned int cmd, unsigned long arg);
int sluice_install_file(const char *name, const struct file_operations *fops, void *priv,
			struct address_space *mapping);
struct inode *sluice_inode_new(void);
void sluice_device_put(struct sluice_device *sdev);

/* group.c */
int sluice_groups_init(void);
void sluice_groups_exit(void);
struct sluice_group *sluice_group_add(struct sluice_device *sdev);
void sluice_group_remove(struct sluice_device *sdev);
struct sluice_space *sluice_group_drop_open(struct sluice_group *group);
void sluice_group_driver_changed(struct device *dev);

/* space.c */
struct sluice_space;
int sluice_space_new(struct sluice_device *sdev);
struct sluice_space *sluice_space_get_fd(int fd);
void sluice_space_put(struct sluice_space *space);
void sluice_space_put_later(struct sluice_space *space);
int sluice_space_attach(struct sluice_space *space, struct iommu_group *group);
void sluice_space_detach(struct sluice_space *space, struct iommu_group *group);

/* device.c */
extern const struct file_operations sluice_device_fops;
int sluice_device_enter(struct sluice_device *sdev);
int sluice_device_open(struct sluice_device *sdev);
void sluice_device_close(struct sluice_device *sdev, bool locked);
void sluice_device_reset_owed(struct sluice_device *sdev);

/* config.c */
int sluice_floor_init(struct sluice_device *sdev);
ssize_t sluice_config_rw(struct sluice_device *sdev, char *buf, size_t count, u32 pos, bool write);
int sluice_do_floor_get(void *obj, void *arg);
int sluice_do_floor_set(void *obj, void *arg);
int sluice_do_floor_seal(void *obj, void *arg);

/* bar.c */
void sluice_bars_init(struct sluice_device *sdev);
void sluice_bars_exit(struct sluice_device *sdev);
void sluice_bars_restore(struct sluice_device *sdev);
bool sluice_bar_mappable(struct sluice_device *sdev, unsigned int bar);
void sluice_zap(struct sluice_device *sdev);
ssize_t sluice_bar_rw(struct sluice_device *sdev, unsigned int bar, char *buf, size_t count,
		      u64 pos, bool write);
ssize_t sluice_rom_read(struct sluice_device *sdev, char *buf, size_t count, u64 pos);
int sluice_mmap(struct file *file, struct vm_area_struct *vma);
int sluice_do_bar_fd(void *obj, void *arg);

/* irq.c */
unsigned int sluice_irq_count(struct sluice_device *sdev, unsigned int index);
int sluice_do_irq_info(void *obj, void *arg);
int sluice_do_set_irqs(void *obj, void *arg);
void sluice_irqs_off(struct sluice_device *sdev);
void sluice_irqs_forget(struct sluice_device *sdev);
void sluice_signal_kind(struct sluice_device *sdev, unsigned int kind);
void sluice_intx_mask(struct sluice_device *sdev);
void sluice_intx_unmask(struct sluice_device *sdev);
void sluice_intx_do_unmask(struct sluice_device *sdev);

#define SLUICE_SET_DATA   (SLUICE_SET_DATA_NONE | SLUICE_SET_DATA_EVENTFD)
#define SLUICE_SET_ACTION (SLUICE_SET_MASK | SLUICE_SET_UNMASK | SLUICE_SET_TRIGGER)

/* unmask.c */
int sluice_unmask_init(void);
void sluice_unmask_exit(void);
int sluice_unmask_set(struct sluice_device *sdev, int fd);
void sluice_unmask_clear(struct sluice_device *sdev);

/* effects.c */
int sluice_do_reset(void *obj, void *arg);
int sluice_do_power(void *obj, void *arg);
int sluice_do_readrq(void *obj, void *arg);
int sluice_do_vpd_read(void *obj, void *arg);
int sluice_do_vpd_write(void *obj, void *arg);

#endif
