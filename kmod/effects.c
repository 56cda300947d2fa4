// SPDX-License-Identifier: GPL-2.0-only
/*
 * effects.c: what a write to config space would do beyond changing bytes, each as an ioctl: reset,
 * power state, read request, VPD
 */
#include <linux/slab.h>

#include "sluice_pci.h"

int sluice_do_reset(void *obj, void *arg)
{
	struct sluice_device *sdev = obj;
	int ret;

	if (!sdev->can_reset)
		return -EOPNOTSUPP;
	down_write(&sdev->memory_lock);
	sluice_zap(sdev);
	/* only tries the device's lock, which remove() holds while it waits for us */
	ret = sluice_try_reset(sdev->pdev);
	up_write(&sdev->memory_lock);
	return ret == -ENOTTY ? -EOPNOTSUPP : ret;
}

/* PMCSR.No_Soft_Reset tells whether the device keeps its state on the way back from D3hot. */
static bool sluice_forgets(struct pci_dev *pdev)
{
	u16 pmcsr = 0;

	if (pdev->pm_cap)
		pci_read_config_word(pdev, pdev->pm_cap + PCI_PM_CTRL, &pmcsr);
	return pdev->pm_cap && !(pmcsr & PCI_PM_CTRL_NO_SOFT_RESET);
}

/* sdev->lock and memory_lock (for writing) are held. */
static int sluice_power_to(struct sluice_device *sdev, pci_power_t state)
{
	struct pci_dev *pdev = sdev->pdev;
	bool forgets = sluice_forgets(pdev);
	int ret;

	if (state == PCI_D3hot && pdev->current_state != PCI_D3hot && forgets) {
		pci_save_state(pdev);
		kfree(sdev->pm_saved);
		sdev->pm_saved = pci_store_saved_state(pdev);
		if (!sdev->pm_saved)
			return -ENOMEM;
	}
	ret = pci_set_power_state(pdev, state);
	if (!ret && state == PCI_D0 && sdev->pm_saved) {
		pci_load_and_free_saved_state(pdev, &sdev->pm_saved);
		pci_restore_state(pdev);
	}
	return ret;
}

int sluice_do_power(void *obj, void *arg)
{
	struct sluice_set_power_state *req = arg;
	struct sluice_device *sdev = obj;
	int ret;

	if (req->reserved || req->state > 3)
		return -EINVAL;
	if (req->state && pci_num_vf(sdev->pdev))
		return -EBUSY;
	down_write(&sdev->memory_lock);
	if (req->state)
		sluice_zap(sdev);
	ret = sluice_power_to(sdev, (__force pci_power_t)req->state);
	up_write(&sdev->memory_lock);
	req->state = (__force u32)sdev->pdev->current_state;
	return ret;
}

int sluice_do_readrq(void *obj, void *arg)
{
	struct sluice_set_readrq *req = arg;
	struct pci_dev *pdev = ((struct sluice_device *)obj)->pdev;
	int ret;

	if (req->reserved || req->bytes > 4096 || !pci_is_pcie(pdev) ||
	    (int)req->bytes < pcie_get_mps(pdev))
		return -EINVAL;
	ret = pcie_set_readrq(pdev, req->bytes);
	req->bytes = pcie_get_readrq(pdev);
	return ret > 0 ? -EINVAL : ret;
}

/* One piece, of at most a page. */
static ssize_t sluice_vpd_piece(struct sluice_device *sdev, void *buf, u32 pos, u32 count, bool write)
{
	ssize_t ret = sluice_device_enter(sdev);

	if (ret)
		return ret;
	if (write)
		ret = pci_write_vpd(sdev->pdev, pos, count, buf);
	else
		ret = pci_read_vpd(sdev->pdev, pos, count, buf);
	mutex_unlock(&sdev->lock);
	return ret;
}

/* User memory is touched between the pieces, with no lock held. */
static int sluice_vpd(struct sluice_device *sdev, struct sluice_vpd *req, bool write)
{
	char __user *user = u64_to_user_ptr(req->data);
	u32 done = 0, n;
	ssize_t got = 0;
	void *buf;

	if (req->offset >= 32768 || req->length > 32768 || (write && (req->offset | req->length) & 3))
		return -EINVAL;
	buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	while (done < req->length) {
		n = min_t(u32, req->length - done, PAGE_SIZE);
		if (write && copy_from_user(buf, user + done, n)) {
			got = -EFAULT;
			break;
		}
		got = sluice_vpd_piece(sdev, buf, req->offset + done, n, write);
		if (got > 0 && !write && copy_to_user(user + done, buf, got))
			got = -EFAULT;
		if (got <= 0)
			break;
		done += got;
		if (got < n)
			break;
	}
	kfree(buf);
	req->length = done;
	return min_t(ssize_t, got, 0);
}

int sluice_do_vpd_read(void *obj, void *arg)
{
	return sluice_vpd(obj, arg, false);
}

int sluice_do_vpd_write(void *obj, void *arg)
{
	return sluice_vpd(obj, arg, true);
}
