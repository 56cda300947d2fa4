// SPDX-License-Identifier: GPL-2.0-only
/*
 * sluice_pci - hands PCI functions to userspace drivers
 *
 * main.c: the module, its PCI driver, and the few helpers that every other file uses.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "compat.h"
#include "sluice_pci.h"

unsigned int sluice_revoke_ms = 5000;
module_param_named(revoke_ms, sluice_revoke_ms, uint, 0644);
MODULE_PARM_DESC(revoke_ms, "How long unbinding waits for the owner before it takes the device away, in ms (5000)");

unsigned int sluice_dma_entry_limit = 65535;
module_param_named(dma_entry_limit, sluice_dma_entry_limit, uint, 0644);
MODULE_PARM_DESC(dma_entry_limit, "Mappings that one address space may hold (65535)");

bool sluice_allow_unsafe_interrupts;
module_param_named(allow_unsafe_interrupts, sluice_allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Open groups whose MSI is not isolated: a device may then raise any interrupt of the host (N)");

bool sluice_enable_noiommu;
module_param_named(enable_unsafe_noiommu_mode, sluice_enable_noiommu, bool, 0644);
MODULE_PARM_DESC(enable_unsafe_noiommu_mode,
		 "Take devices that no IOMMU stands in front of: they may then reach all memory (N)");

struct workqueue_struct *sluice_state_wq;

/*
 * One pseudo inode a device. The shared inode of anon_inode_getfile() cannot do: zapping its
 * mapping would zap everybody's, so the files made with it get this inode's mapping instead. The
 * file system has no owner on purpose: mounted by the module itself it would otherwise pin the
 * module for ever. Whoever can reach an inode holds a file of ours, and with it the module.
 */
static struct vfsmount *sluice_mnt;

static int sluice_fs_init(struct fs_context *fc)
{
	return init_pseudo(fc, 0x534c4943) ? 0 : -ENOMEM;
}

static struct file_system_type sluice_fs = {
	.name = "sluice_pci",
	.init_fs_context = sluice_fs_init,
	.kill_sb = kill_anon_super,
};

struct inode *sluice_inode_new(void)
{
	return alloc_anon_inode(sluice_mnt->mnt_sb);
}

static_assert(sizeof(struct sluice_device_info) <= SLUICE_ARG_MAX);

static int sluice_do_version(void *obj, void *arg)
{
	struct sluice_version *v = arg;

	if (v->reserved)
		return -EINVAL;
	v->version = SLUICE_API_VERSION;
	v->features = (SLUICE_HAVE_MSIX_DYNAMIC ? SLUICE_FEATURE_MSIX_DYNAMIC : 0) |
		      (READ_ONCE(sluice_enable_noiommu) ? SLUICE_FEATURE_NOIOMMU : 0);
	return 0;
}

static const struct sluice_ioctl sluice_version_ioctl = {
	SLUICE_VERSION, sizeof(struct sluice_version), SLUICE_OUT, 0, sluice_do_version
};

/*
 * Copy a struct in, by the rules of the uapi header. All structs are as in their first version so
 * far.
 */
static int sluice_arg_get(void *dst, const struct sluice_ioctl *io, void __user *user)
{
	u32 *head = dst;
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < io->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(dst, io->size, user, size);
	/* the caller may have changed the field since it was looked at */
	head[0] = io->size;
	return ret ?: head[1] & ~io->flags ? -EINVAL : 0;
}

/**
 * sluice_ioctl - find and make one of an fd's ioctls
 * @table: what it has, besides VERSION
 * @count: entries of @table
 * @obj: what it stands for
 * @lock: of that object, for those that ask for SLUICE_LOCK
 * @dead: under that lock: nothing but -ENODEV any more
 * @cmd: ioctl's
 * @arg: ioctl's
 */
long sluice_ioctl(const struct sluice_ioctl *table, unsigned int count, void *obj, struct mutex *lock,
		  const bool *dead, unsigned int cmd, unsigned long arg)
{
	const struct sluice_ioctl *io = &sluice_version_ioctl;
	void __user *user = (void __user *)arg;
	u64 buf[SLUICE_ARG_MAX / sizeof(u64)];
	long ret;

	if (cmd != SLUICE_VERSION) {
		for (io = table; io < table + count && io->cmd != cmd; io++)
			;
		if (io == table + count)
			return -ENOTTY;
	}
	ret = sluice_arg_get(buf, io, user);
	if (ret)
		return ret;
	if (io->how & SLUICE_LOCK) {
		mutex_lock(lock);
		ret = *dead ? -ENODEV : io->fn(obj, buf);
		mutex_unlock(lock);
	} else {
		ret = io->fn(obj, buf);
	}
	if (ret >= 0 && io->how & SLUICE_OUT && copy_to_user(user, buf, io->size))
		return -EFAULT;
	return ret;
}

/**
 * sluice_install_file - make an fd
 * @name: as /proc/PID/fd shows it
 * @fops: its operations; their release() owns @priv once this has succeeded
 * @priv: private data
 * @mapping: whose pages it maps, or NULL
 *
 * Returns the fd or -errno.
 */
int sluice_install_file(const char *name, const struct file_operations *fops, void *priv,
			struct address_space *mapping)
{
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, priv, O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	if (fops->read)
		file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	if (mapping)
		file->f_mapping = mapping;
	fd_install(fd, file);
	return fd;
}

static void sluice_device_free(struct kref *kref)
{
	struct sluice_device *sdev = container_of(kref, struct sluice_device, kref);

	iput(sdev->inode);
	if (sdev->group)
		put_device(&sdev->group->dev);
	pci_dev_put(sdev->pdev);
	mutex_destroy(&sdev->lock);
	kfree(sdev);
}

void sluice_device_put(struct sluice_device *sdev)
{
	kref_put(&sdev->kref, sluice_device_free);
}

static struct sluice_device *sluice_device_new(struct pci_dev *pdev)
{
	struct sluice_device *sdev = kzalloc(sizeof(*sdev), GFP_KERNEL);

	if (!sdev)
		return ERR_PTR(-ENOMEM);
	sdev->inode = sluice_inode_new();
	if (IS_ERR(sdev->inode)) {
		int ret = PTR_ERR(sdev->inode);

		kfree(sdev);
		return ERR_PTR(ret);
	}
	kref_init(&sdev->kref);
	sdev->pdev = pci_dev_get(pdev);
	init_waitqueue_head(&sdev->closed);
	mutex_init(&sdev->lock);
	init_rwsem(&sdev->memory_lock);
	spin_lock_init(&sdev->irq_lock);
	sdev->irq_kind = SLUICE_NUM_IRQS;
	return sdev;
}

static int sluice_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct sluice_device *sdev;
	struct sluice_group *group;
	int ret;

	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		pci_err(pdev, "refused: header type %u, and only type 0 (an endpoint) can be handed to a user\n",
			pdev->hdr_type);
		return -EINVAL;
	}
	if (pci_num_vf(pdev)) {
		pci_err(pdev, "refused: %d VFs are enabled; write 0 to sriov_numvfs under its own driver first\n",
			pci_num_vf(pdev));
		return -EBUSY;
	}
	sdev = sluice_device_new(pdev);
	if (IS_ERR(sdev))
		return PTR_ERR(sdev);
	pci_set_drvdata(pdev, sdev);
	group = sluice_group_add(sdev);
	if (IS_ERR(group)) {
		ret = PTR_ERR(group);
		goto put;
	}
	ret = sysfs_create_link(&pdev->dev.kobj, &group->dev.kobj, "sluice");
	if (ret)
		goto remove;
	return 0;

remove:
	sluice_group_remove(sdev);
put:
	pci_set_drvdata(pdev, NULL);
	sluice_device_put(sdev);
	return ret;
}

/*
 * The driver core holds the device's lock here, so an owner who closes meanwhile cannot reset it:
 * that reset is made below. An owner who does not close, because it is stopped or ill-willed, loses
 * the device: unlike vfio-pci this never waits for ever.
 */
static void sluice_remove(struct pci_dev *pdev)
{
	struct sluice_device *sdev = pci_get_drvdata(pdev);
	struct sluice_group *group = sdev->group;

	mutex_lock(&group->lock);
	mutex_lock(&sdev->lock);
	sdev->removing = true;
	mutex_unlock(&sdev->lock);
	mutex_unlock(&group->lock);

	sluice_signal_kind(sdev, SLUICE_IRQ_REQ);
	if (!wait_event_timeout(sdev->closed, !READ_ONCE(sdev->open_count),
				msecs_to_jiffies(READ_ONCE(sluice_revoke_ms)))) {
		mutex_lock(&sdev->lock);
		if (sdev->open_count) {
			pci_warn(pdev, "still open %u ms after its owner was asked to close it: revoked\n",
				 READ_ONCE(sluice_revoke_ms));
			sdev->revoked = true;
			sluice_device_close(sdev, true);
		}
		mutex_unlock(&sdev->lock);
	}
	mutex_lock(&sdev->lock);
	sluice_device_reset_owed(sdev);
	mutex_unlock(&sdev->lock);

	sysfs_remove_link(&pdev->dev.kobj, "sluice");
	sluice_group_remove(sdev);
	pci_set_drvdata(pdev, NULL);
	sluice_device_put(sdev);
}

static pci_ers_result_t sluice_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct sluice_device *sdev = pci_get_drvdata(pdev);

	sluice_signal_kind(sdev, SLUICE_IRQ_ERR);
	return PCI_ERS_RESULT_CAN_RECOVER;
}

static const struct pci_error_handlers sluice_error_handlers = {
	.error_detected = sluice_error_detected,
};

/*
 * No static ids: devices come through driver_override or new_id. driver_managed_dma keeps the
 * driver core from taking the group for the kernel's DMA, which would make every claim fail. No
 * sriov_configure: VFs of a PF that a user drives would trust that user.
 */
static struct pci_driver sluice_driver = {
	.name = "sluice-pci",
	.probe = sluice_probe,
	.remove = sluice_remove,
	.err_handler = &sluice_error_handlers,
	.driver_managed_dma = true,
};

static int sluice_bus_event(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case BUS_NOTIFY_BOUND_DRIVER:
	case BUS_NOTIFY_UNBOUND_DRIVER:
	case BUS_NOTIFY_DEL_DEVICE:
		sluice_group_driver_changed(data);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block sluice_bus_nb = { .notifier_call = sluice_bus_event };

static int __init sluice_init(void)
{
	int ret;

	sluice_state_wq = alloc_workqueue("sluice_state", 0, 0);
	if (!sluice_state_wq)
		return -ENOMEM;
	sluice_mnt = kern_mount(&sluice_fs);
	if (IS_ERR(sluice_mnt)) {
		ret = PTR_ERR(sluice_mnt);
		goto destroy_wq;
	}
	ret = sluice_unmask_init();
	if (ret)
		goto unmount;
	ret = sluice_groups_init();
	if (ret)
		goto unmask;
	ret = bus_register_notifier(&pci_bus_type, &sluice_bus_nb);
	if (ret)
		goto groups;
	ret = pci_register_driver(&sluice_driver);
	if (ret)
		goto notifier;
	return 0;

notifier:
	bus_unregister_notifier(&pci_bus_type, &sluice_bus_nb);
groups:
	sluice_groups_exit();
unmask:
	sluice_unmask_exit();
unmount:
	kern_unmount(sluice_mnt);
destroy_wq:
	destroy_workqueue(sluice_state_wq);
	return ret;
}

static void __exit sluice_exit(void)
{
	pci_unregister_driver(&sluice_driver);
	bus_unregister_notifier(&pci_bus_type, &sluice_bus_nb);
	flush_workqueue(sluice_state_wq);
	sluice_groups_exit();
	sluice_unmask_exit();
	kern_unmount(sluice_mnt);
	destroy_workqueue(sluice_state_wq);
}

module_init(sluice_init);
module_exit(sluice_exit);

MODULE_DESCRIPTION("Hands PCI functions to userspace drivers, behind a floor");
MODULE_AUTHOR("The Sluice authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0");
