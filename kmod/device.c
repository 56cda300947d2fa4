// SPDX-License-Identifier: GPL-2.0-only
/*
 * device.c: opening and closing a device, the device fd, and which region an access is for
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "sluice_pci.h"

/* How long a lock of the driver core is tried for. */
#define SLUICE_LOCK_TRIES   20
#define SLUICE_LOCK_WAIT_MS 5

#define SLUICE_OFFSET_MASK ((1ULL << SLUICE_REGION_SHIFT) - 1)

/**
 * sluice_device_enter - begin an operation on an open device
 * @sdev: whose lock is held on return, unless -ENODEV says that its owner has lost it
 */
int sluice_device_enter(struct sluice_device *sdev)
{
	mutex_lock(&sdev->lock);
	if (!sdev->revoked)
		return 0;
	mutex_unlock(&sdev->lock);
	return -ENODEV;
}

static void sluice_find_msix(struct sluice_device *sdev)
{
	struct pci_dev *pdev = sdev->pdev;
	int count = pci_msix_vec_count(pdev);
	u32 table;

	sdev->msi_count = max(pci_msi_vec_count(pdev), 0);
	sdev->msix_bar = SLUICE_NO_BAR;
	sdev->msix_offset = 0;
	sdev->msix_size = 0;
	if (count <= 0)
		return;
	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &table);
	if ((table & PCI_MSIX_TABLE_BIR) >= SLUICE_NUM_BARS)
		return;
	sdev->msix_bar = table & PCI_MSIX_TABLE_BIR;
	sdev->msix_offset = table & PCI_MSIX_TABLE_OFFSET;
	sdev->msix_size = count * PCI_MSIX_ENTRY_SIZE;
}

/**
 * sluice_try_reset - reset a function whose lock of the driver core somebody may hold for a moment
 * @pdev: the function
 *
 * That lock is never waited for, since remove() holds it while it waits for us. But others take it
 * briefly, our own look at a group's drivers among them, so one refusal says little.
 */
int sluice_try_reset(struct pci_dev *pdev)
{
	int tries, ret;

	for (tries = 0; tries < SLUICE_LOCK_TRIES; tries++) {
		ret = pci_try_reset_function(pdev);
		if (ret != -EAGAIN)
			break;
		msleep(SLUICE_LOCK_WAIT_MS);
	}
	return ret;
}

/* As above, for the lock alone. Once remove() has it there is no use in trying. */
static bool sluice_try_lock(struct sluice_device *sdev)
{
	int tries;

	for (tries = 0; tries < SLUICE_LOCK_TRIES; tries++) {
		if (pci_dev_trylock(sdev->pdev))
			return true;
		if (sdev->removing)
			break;
		msleep(SLUICE_LOCK_WAIT_MS);
	}
	return false;
}

/* The first open of a tenure. sdev->lock is held. */
static int sluice_device_enable(struct sluice_device *sdev)
{
	struct pci_dev *pdev = sdev->pdev;
	u16 command;
	int ret;

	if (pci_num_vf(pdev))
		return -EBUSY;
	ret = pci_set_power_state(pdev, PCI_D0);
	if (ret)
		return ret;
	pci_clear_master(pdev);
	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	ret = sluice_try_reset(pdev);
	if (ret == -EAGAIN)
		goto disable;
	sdev->can_reset = !ret;
	pci_save_state(pdev);
	sdev->saved = pci_store_saved_state(pdev);
	if (!sdev->saved) {
		ret = -ENOMEM;
		goto disable;
	}
	ret = sluice_floor_init(sdev);
	if (ret)
		goto free_saved;
	sluice_bars_init(sdev);
	sluice_find_msix(sdev);

	/* nobody handles INTx yet */
	sdev->pci_2_3 = pci_intx_mask_supported(pdev);
	pci_intx(pdev, 0);
	pci_read_config_word(pdev, PCI_COMMAND, &command);

	down_write(&sdev->memory_lock);
	sdev->tenure++;
	sdev->live = true;
	sdev->mem_on = pdev->no_command_memory || (command & PCI_COMMAND_MEMORY);
	up_write(&sdev->memory_lock);
	sdev->sealed = false;
	sdev->reset_owed = false;
	return 0;

free_saved:
	kfree(sdev->saved);
	sdev->saved = NULL;
disable:
	pci_disable_device(pdev);
	return ret;
}

static void sluice_reset_locked(struct sluice_device *sdev)
{
	/* one that has left would be waited for, for a minute */
	if (pci_dev_is_disconnected(sdev->pdev) || !pci_device_is_present(sdev->pdev))
		return;
	if (__pci_reset_function_locked(sdev->pdev))
		pci_info(sdev->pdev, "cannot be reset now: the next owner finds it as it was left\n");
}

/**
 * sluice_device_close - end a tenure: the device is as before it, and harmless
 * @sdev: with its lock held, open
 * @locked: the caller has the device's lock of the driver core
 */
void sluice_device_close(struct sluice_device *sdev, bool locked)
{
	struct pci_dev *pdev = sdev->pdev;

	down_write(&sdev->memory_lock);
	pci_set_power_state(pdev, PCI_D0);
	pci_clear_master(pdev);
	up_write(&sdev->memory_lock);
	sluice_irqs_off(sdev);
	sluice_irqs_forget(sdev);

	down_write(&sdev->memory_lock);
	sdev->live = false;
	sdev->mem_on = false;
	sluice_zap(sdev);
	sluice_bars_exit(sdev);
	up_write(&sdev->memory_lock);

	kfree(sdev->pm_saved);
	sdev->pm_saved = NULL;
	kfree(sdev->floor_list);
	sdev->floor = NULL;
	sdev->floor_list = NULL;
	sdev->floor_w1c = NULL;

	if (pci_load_and_free_saved_state(pdev, &sdev->saved))
		pci_save_state(pdev);
	pci_write_config_word(pdev, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
	if (sdev->can_reset) {
		if (locked) {
			pci_cfg_access_lock(pdev);
			sluice_reset_locked(sdev);
			pci_cfg_access_unlock(pdev);
		} else if (sluice_try_lock(sdev)) {
			sluice_reset_locked(sdev);
			pci_dev_unlock(pdev);
		} else {
			sdev->reset_owed = sdev->removing;
		}
	}
	pci_restore_state(pdev);
	pci_disable_device(pdev);
}

/**
 * sluice_device_reset_owed - the reset that a close during remove() could not make
 * @sdev: with its lock and its device's lock held
 */
void sluice_device_reset_owed(struct sluice_device *sdev)
{
	struct pci_dev *pdev = sdev->pdev;

	if (!sdev->reset_owed)
		return;
	sdev->reset_owed = false;
	pci_save_state(pdev);
	pci_cfg_access_lock(pdev);
	sluice_reset_locked(sdev);
	pci_cfg_access_unlock(pdev);
	pci_restore_state(pdev);
}

/**
 * sluice_device_open - one more device fd
 * @sdev: in a group that is locked
 *
 * Returns the fd. The caller counts it in the group.
 */
int sluice_device_open(struct sluice_device *sdev)
{
	struct sluice_file *sf;
	int ret;

	if (!sdev->group->iommu_group && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	sf = kzalloc(sizeof(*sf), GFP_KERNEL_ACCOUNT);
	if (!sf)
		return -ENOMEM;
	mutex_lock(&sdev->lock);
	if (sdev->removing) {
		ret = -ENODEV;
		goto unlock;
	}
	if (!sdev->open_count) {
		ret = sluice_device_enable(sdev);
		if (ret)
			goto unlock;
	}
	kref_get(&sdev->kref);
	sf->sdev = sdev;
	sf->tenure = sdev->tenure;
	sf->bar = -1;
	sdev->open_count++;
	ret = sluice_install_file("[sluice-device]", &sluice_device_fops, sf, sdev->inode->i_mapping);
	if (ret < 0) {
		if (!--sdev->open_count)
			sluice_device_close(sdev, false);
		sluice_device_put(sdev);
		goto unlock;
	}
	mutex_unlock(&sdev->lock);
	return ret;

unlock:
	mutex_unlock(&sdev->lock);
	kfree(sf);
	return ret;
}

static int sluice_device_fop_release(struct inode *inode, struct file *file)
{
	struct sluice_file *sf = file->private_data;
	struct sluice_device *sdev = sf->sdev;
	struct sluice_group *group = sdev->group;
	struct sluice_space *space;

	mutex_lock(&group->lock);
	mutex_lock(&sdev->lock);
	if (!--sdev->open_count && !sdev->revoked)
		sluice_device_close(sdev, false);
	mutex_unlock(&sdev->lock);
	space = sluice_group_drop_open(group);
	mutex_unlock(&group->lock);
	wake_up_all(&sdev->closed);
	if (space)
		sluice_space_put(space);
	sluice_device_put(sdev);
	kfree(sf);
	return 0;
}

/* ---- region access ---- */

static ssize_t sluice_region_piece(struct sluice_device *sdev, unsigned int region, char *buf,
				   size_t count, u64 pos, bool write)
{
	ssize_t ret = sluice_device_enter(sdev);

	if (ret)
		return ret;
	if (region == SLUICE_REGION_CONFIG)
		ret = sluice_config_rw(sdev, buf, count, pos, write);
	else if (region == SLUICE_REGION_ROM)
		ret = sluice_rom_read(sdev, buf, count, pos);
	else
		ret = sluice_bar_rw(sdev, region, buf, count, pos, write);
	mutex_unlock(&sdev->lock);
	return ret;
}

static u64 sluice_region_size(struct sluice_device *sdev, unsigned int region)
{
	if (region == SLUICE_REGION_CONFIG)
		return sdev->pdev->cfg_size;
	if (region == SLUICE_REGION_ROM)
		return pci_resource_len(sdev->pdev, PCI_ROM_RESOURCE);
	return sdev->bars & BIT(region) ? pci_resource_len(sdev->pdev, region) : 0;
}

/*
 * User memory is touched between the pieces, with no lock held. Pieces are whole pages apart, so
 * that none is split.
 */
static ssize_t sluice_region_rw(struct file *file, char __user *user, size_t count, loff_t *ppos,
				bool write)
{
	struct sluice_file *sf = file->private_data;
	struct sluice_device *sdev = sf->sdev;
	unsigned int region = (u64)*ppos >> SLUICE_REGION_SHIFT;
	u64 pos = *ppos & SLUICE_OFFSET_MASK;
	char small[64], *buf = small;
	size_t done = 0;
	u64 size;
	ssize_t ret;

	if (*ppos < 0 || region >= SLUICE_NUM_REGIONS || (write && region == SLUICE_REGION_ROM))
		return -EINVAL;
	if (!count)
		return 0;
	size = sluice_region_size(sdev, region);
	if (pos >= size || count > size - pos)
		return region == SLUICE_REGION_CONFIG ? -EFAULT : -EINVAL;
	count = min_t(size_t, count, MAX_RW_COUNT);
	if (count > sizeof(small)) {
		buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!buf)
			return -ENOMEM;
	}
	while (done < count) {
		size_t n = min_t(size_t, count - done, PAGE_SIZE - (pos & ~PAGE_MASK));

		if (write && copy_from_user(buf, user + done, n)) {
			ret = -EFAULT;
			goto out;
		}
		ret = sluice_region_piece(sdev, region, buf, n, pos, write);
		if (ret < 0)
			goto out;
		if (!write && copy_to_user(user + done, buf, n)) {
			ret = -EFAULT;
			goto out;
		}
		done += n;
		pos += n;
	}
	*ppos += done;
	ret = done;
out:
	if (buf != small)
		kfree(buf);
	return ret;
}

static ssize_t sluice_device_fop_read(struct file *file, char __user *buf, size_t count, loff_t *ppos)
{
	return sluice_region_rw(file, buf, count, ppos, false);
}

static ssize_t sluice_device_fop_write(struct file *file, const char __user *buf, size_t count,
				       loff_t *ppos)
{
	return sluice_region_rw(file, (char __user *)buf, count, ppos, true);
}

/* ---- ioctls ---- */

static int sluice_do_device_info(void *obj, void *arg)
{
	struct sluice_device *sdev = obj;
	struct sluice_device_info *info = arg;
	struct pci_dev *pdev = sdev->pdev;

	*info = (struct sluice_device_info){
		.size = info->size,
		.flags = (sdev->can_reset ? SLUICE_DEVICE_RESET : 0) |
			 (pci_is_pcie(pdev) ? SLUICE_DEVICE_PCIE : 0) |
			 (pdev->is_virtfn ? SLUICE_DEVICE_VF : 0) |
			 (pdev->no_command_memory ? SLUICE_DEVICE_NO_CMD_MEMORY : 0) |
			 (pdev->pm_cap ? SLUICE_DEVICE_POWER : 0) |
			 (pdev->vpd.cap ? SLUICE_DEVICE_VPD : 0) |
			 (sdev->sealed ? SLUICE_DEVICE_FLOOR_SEALED : 0) |
			 (pdev->class >> 8 == PCI_CLASS_DISPLAY_VGA ? SLUICE_DEVICE_VGA : 0),
		.num_regions = SLUICE_NUM_REGIONS,
		.num_irqs = SLUICE_NUM_IRQS,
		.config_size = pdev->cfg_size,
		.power_state = (__force u32)pdev->current_state,
		.msix_bar = sdev->msix_bar,
		.msix_offset = sdev->msix_offset,
		.msix_size = sdev->msix_size,
		.vendor = pdev->vendor,
		.device = pdev->device,
		.subsystem_vendor = pdev->subsystem_vendor,
		.subsystem_device = pdev->subsystem_device,
		.class_code = pdev->class,
		.revision = pdev->revision,
		.irq_pin = sluice_irq_count(sdev, SLUICE_IRQ_INTX) ? pdev->pin : 0,
		.segment = pci_domain_nr(pdev->bus),
		.bus = pdev->bus->number,
		.devfn = pdev->devfn,
		.numa_node = dev_to_node(&pdev->dev),
		.tenure = sdev->tenure,
	};
	return 0;
}

static int sluice_do_region_info(void *obj, void *arg)
{
	struct sluice_device *sdev = obj;
	struct sluice_region_info *info = arg;
	unsigned long res;

	if (info->reserved || info->index >= SLUICE_NUM_REGIONS)
		return -EINVAL;
	info->offset = SLUICE_REGION_OFFSET(info->index);
	info->length = sluice_region_size(sdev, info->index);
	if (!info->length)
		return 0;
	info->flags = SLUICE_REGION_READ | (info->index == SLUICE_REGION_ROM ? 0 : SLUICE_REGION_WRITE);
	if (info->index < SLUICE_NUM_BARS) {
		res = pci_resource_flags(sdev->pdev, info->index);
		info->flags |= (res & IORESOURCE_IO ? SLUICE_REGION_IO : 0) |
			       (res & IORESOURCE_MEM_64 ? SLUICE_REGION_64BIT : 0) |
			       (res & IORESOURCE_PREFETCH ? SLUICE_REGION_PREFETCH : 0) |
			       (sluice_bar_mappable(sdev, info->index) ? SLUICE_REGION_MMAP : 0);
	}
	return 0;
}

static const struct sluice_ioctl sluice_device_ioctls[] = {
	SLUICE_ENTRY(DEVICE_INFO, device_info, SLUICE_LOCK | SLUICE_OUT, 0, sluice_do_device_info),
	SLUICE_ENTRY(REGION_INFO, region_info, SLUICE_LOCK | SLUICE_OUT, 0, sluice_do_region_info),
	SLUICE_ENTRY(DEVICE_BAR_FD, device_bar_fd, SLUICE_LOCK, 0, sluice_do_bar_fd),
	SLUICE_ENTRY(IRQ_INFO, irq_info, SLUICE_LOCK | SLUICE_OUT, 0, sluice_do_irq_info),
	SLUICE_ENTRY(SET_IRQS, set_irqs, 0, SLUICE_SET_DATA | SLUICE_SET_ACTION, sluice_do_set_irqs),
	SLUICE_ENTRY(RESET, reset, SLUICE_LOCK, 0, sluice_do_reset),
	SLUICE_ENTRY(SET_POWER_STATE, set_power_state, SLUICE_LOCK | SLUICE_OUT, 0, sluice_do_power),
	SLUICE_ENTRY(SET_READRQ, set_readrq, SLUICE_LOCK | SLUICE_OUT, 0, sluice_do_readrq),
	SLUICE_ENTRY(VPD_READ, vpd, SLUICE_OUT, 0, sluice_do_vpd_read),
	SLUICE_ENTRY(VPD_WRITE, vpd, SLUICE_OUT, 0, sluice_do_vpd_write),
	SLUICE_ENTRY(FLOOR_GET, floor, 0, 0, sluice_do_floor_get),
	SLUICE_ENTRY(FLOOR_SET, floor, 0, 0, sluice_do_floor_set),
	SLUICE_ENTRY(FLOOR_SEAL, floor_seal, SLUICE_LOCK, 0, sluice_do_floor_seal),
};

static long sluice_device_fop_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct sluice_device *sdev = ((struct sluice_file *)file->private_data)->sdev;

	return sluice_ioctl(sluice_device_ioctls, ARRAY_SIZE(sluice_device_ioctls), sdev, &sdev->lock,
			    &sdev->revoked, cmd, arg);
}

const struct file_operations sluice_device_fops = {
	.owner = THIS_MODULE,
	.release = sluice_device_fop_release,
	.read = sluice_device_fop_read,
	.write = sluice_device_fop_write,
	.mmap = sluice_mmap,
	.unlocked_ioctl = sluice_device_fop_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
