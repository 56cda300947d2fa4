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
 * space->lock is taken below group->lock or alone. A page fault holds the mmap lock and takes
 * memory_lock, so under memory_lock, and since remove() waits for the others also under those, no
 * user memory is touched: no copy, no pinning. A stopped owner holds none of them.
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

/* An IOMMU group with at least one member bound to the module. @lock protects what follows it. */
struct sluice_group {
	struct device dev;		/* in our class; owns the memory, its minor is the node's */
	struct iommu_group *iommu_group; /* NULL: there is no IOMMU */
	struct list_head entry;		/* in the registry */
	struct mutex lock;
	struct list_head devices;	/* members bound to us */
	unsigned int num_devices;
	unsigned int open_count;	/* the group file and each device file */
	bool gone;			/* the last member has left; for good */
	bool unsafe;			/* opened though its MSI is not isolated */
	bool claimed;			/* DMA ownership is ours */
	struct sluice_space *space;	/* attached to, or NULL */
	bool blocked;			/* a member's driver uses the kernel's DMA; kept by @state_work */
	struct work_struct state_work;
};

/* One MSI or MSI-X vector. */
struct sluice_vector {
	spinlock_t lock;		/* protects @trigger against the handler */
	struct eventfd_ctx *trigger;
	char *name;			/* set while the interrupt is requested */
	int irq;
};

/*
 * One PCI function bound to the module. The driver, each device file and each BAR file hold a
 * reference.
 */
struct sluice_device {
	struct kref kref;
	struct pci_dev *pdev;
	struct sluice_group *group;
	struct list_head entry;		/* in @group->devices */
	struct inode *inode;		/* whose mapping all our files have: one call zaps them all */
	wait_queue_head_t closed;	/* woken when @open_count falls */

	struct mutex lock;		/* protects what follows, up to @sealed */
	unsigned int open_count;	/* device files of this tenure */
	bool removing;			/* no more opens */
	bool revoked;			/* taken from its owner by remove(); for good */
	bool can_reset;			/* a function reset worked at open */
	bool reset_owed;		/* closed while remove() held the device: remove() resets */
	bool pci_2_3;			/* COMMAND.INTX_DISABLE works */
	u8 bars;			/* a bit for each BAR that is there and ours */
	void __iomem *io[SLUICE_NUM_BARS]; /* mapped for pread and pwrite */
	struct pci_saved_state *saved;	/* at open */
	struct pci_saved_state *pm_saved; /* on the way to D3hot, for devices that forget */
	u32 rbar[SLUICE_NUM_BARS + 1];	/* BARs and ROM at open */
	u32 msix_bar, msix_offset, msix_size; /* where the MSI-X table is */
	unsigned int msi_count;		/* MSI vectors that it has */
	u8 *floor;			/* effective mask */
	u8 *floor_list;			/* as computed; one allocation for all three */
	u8 *floor_w1c;			/* bytes of status registers */
	bool sealed;

	struct rw_semaphore memory_lock; /* write to change, read to rely on: what follows, power, @io */
	bool live;			/* open, not revoked */
	bool mem_on;			/* COMMAND.MEMORY as the user wants it */
	u64 tenure;			/* opens so far */

	spinlock_t irq_lock;		/* @trigger, @masked, @virq_disabled, hardware's COMMAND */
	unsigned int irq_kind;		/* SLUICE_IRQ_INTX, _MSI, _MSIX, or SLUICE_IRQ_OFF */
	struct sluice_vector *vectors;	/* of MSI and MSI-X */
	unsigned int num_vectors;	/* allocated */
	char *intx_name;
	struct eventfd_ctx *trigger[SLUICE_NUM_IRQS]; /* of INTX, ERR and REQ */
	bool masked;			/* INTx is masked */
	bool virq_disabled;		/* the user's INTX_DISABLE */
	struct sluice_unmask *unmask;	/* eventfd that unmasks INTx */
};

/* Behind a device fd or a BAR fd. */
struct sluice_file {
	struct sluice_device *sdev;
	u64 tenure;			/* that it belongs to */
	int bar;			/* of a BAR fd; negative: a device fd */
};

/* One SPACE_MAP. */
struct sluice_mapping {
	struct interval_tree_node node;	/* IOVAs, inclusive */
	struct list_head entry;		/* on a list of those that are being removed */
	struct mm_struct *mm;		/* charged */
	unsigned long npages;
	size_t mapped;			/* bytes that the IOMMU knows, from the beginning */
	bool write;			/* the device may */
	bool pending;			/* still being made */
	struct list_head runs;		/* what is pinned */
};

#define SLUICE_OUT  1	/* copy the struct back */
#define SLUICE_LOCK 2	/* hold the object's lock, and find it alive */

/* The largest struct of the uapi is well below. */
#define SLUICE_ARG_MAX 128

/* One ioctl of one kind of fd. */
struct sluice_ioctl {
	unsigned int cmd;
	u16 size;			/* of its struct */
	u16 how;			/* SLUICE_OUT, SLUICE_LOCK */
	u32 flags;			/* that the caller may set */
	int (*fn)(void *obj, void *arg); /* negative: -errno */
};

#define SLUICE_ENTRY(nr, type, how, flags, fn) \
	{ SLUICE_##nr, sizeof(struct sluice_##type), how, flags, fn }

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

/* pin.c */
int sluice_map_pages(struct iommu_domain *domain, struct sluice_mapping *m, unsigned long vaddr,
		     int prot);
void sluice_mapping_free(struct sluice_mapping *m);

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
int sluice_try_reset(struct pci_dev *pdev);
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
#define SLUICE_IRQ_OFF SLUICE_NUM_IRQS
unsigned int sluice_irq_count(struct sluice_device *sdev, unsigned int index);
int sluice_do_irq_info(void *obj, void *arg);
int sluice_do_set_irqs(void *obj, void *arg);
void sluice_irqs_off(struct sluice_device *sdev);
void sluice_irqs_forget(struct sluice_device *sdev);
void sluice_signal_kind(struct sluice_device *sdev, unsigned int kind);

/* intx.c */
void sluice_intx_mask(struct sluice_device *sdev);
void sluice_intx_unmask(struct sluice_device *sdev);
void sluice_intx_do_mask(struct sluice_device *sdev);
void sluice_intx_do_unmask(struct sluice_device *sdev);
void sluice_intx_off(struct sluice_device *sdev);
int sluice_intx_set(struct sluice_device *sdev, struct eventfd_ctx **ctx);
void sluice_set_trigger(struct sluice_device *sdev, unsigned int kind, struct eventfd_ctx *ctx);

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
