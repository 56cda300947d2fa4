// SPDX-License-Identifier: GPL-2.0-only
/*
 * group.c: the registry of groups, their nodes in /dev/sluice and /sys/class/sluice, and the group
 * fd
 */
#include <linux/cdev.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "sluice_pci.h"

#define SLUICE_MINORS (MINORMASK + 1)

static DEFINE_MUTEX(sluice_registry_lock);
static LIST_HEAD(sluice_groups);
static DEFINE_IDR(sluice_minors);
static dev_t sluice_devt;
static struct cdev sluice_cdev;

/* ---- may it be opened? ---- */

static int sluice_dev_incoherent(struct device *dev, void *data)
{
	return !device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY);
}

static bool sluice_group_coherent(struct sluice_group *group)
{
	return !iommu_group_for_each_dev(group->iommu_group, NULL, sluice_dev_incoherent);
}

/*
 * A driver that manages its own DMA leaves the group to whoever claims it; all others take it for
 * the kernel.
 */
static bool sluice_driver_blocks(struct device *dev)
{
	if (!dev->driver)
		return false;
	return !dev_is_pci(dev) || !to_pci_driver(dev->driver)->driver_managed_dma;
}

struct sluice_members {
	struct device *dev[64];
	unsigned int count;
};

static int sluice_collect_member(struct device *dev, void *data)
{
	struct sluice_members *members = data;

	if (members->count < ARRAY_SIZE(members->dev))
		members->dev[members->count++] = get_device(dev);
	return 0;
}

/*
 * Runs on a queue of its own because it waits for the lock of each member, which whoever binds or
 * unbinds holds, for as long as that takes.
 */
static void sluice_group_state_work(struct work_struct *work)
{
	struct sluice_group *group = container_of(work, struct sluice_group, state_work);
	struct sluice_members *members;
	bool blocked = false;
	unsigned int i;

	members = kzalloc(sizeof(*members), GFP_KERNEL);
	if (members) {
		iommu_group_for_each_dev(group->iommu_group, members, sluice_collect_member);
		for (i = 0; i < members->count; i++) {
			device_lock(members->dev[i]);
			blocked |= sluice_driver_blocks(members->dev[i]);
			device_unlock(members->dev[i]);
			put_device(members->dev[i]);
		}
		kfree(members);
		mutex_lock(&group->lock);
		swap(group->blocked, blocked);
		blocked = blocked != group->blocked && !group->gone;
		mutex_unlock(&group->lock);
		if (blocked)
			sysfs_notify(&group->dev.kobj, NULL, "state");
	}
	put_device(&group->dev);
}

static void sluice_group_check_state(struct sluice_group *group)
{
	if (!group->iommu_group)
		return;
	get_device(&group->dev);
	if (!queue_work(sluice_state_wq, &group->state_work))
		put_device(&group->dev);
}

static struct sluice_group *sluice_group_find(struct iommu_group *iommu_group)
{
	struct sluice_group *group;

	list_for_each_entry(group, &sluice_groups, entry)
		if (group->iommu_group == iommu_group)
			return group;
	return NULL;
}

/**
 * sluice_group_driver_changed - keep a group's state current after a driver came to or left a
 * member
 * @dev: the member, whose lock the caller holds
 */
void sluice_group_driver_changed(struct device *dev)
{
	struct iommu_group *iommu_group = iommu_group_get(dev);
	struct sluice_group *group;

	if (!iommu_group)
		return;
	mutex_lock(&sluice_registry_lock);
	group = sluice_group_find(iommu_group);
	if (group)
		sluice_group_check_state(group);
	mutex_unlock(&sluice_registry_lock);
	iommu_group_put(iommu_group);
}

/* ---- /sys/class/sluice/N ---- */

static struct sluice_group *to_group(struct device *dev)
{
	return container_of(dev, struct sluice_group, dev);
}

static ssize_t iommu_group_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sluice_group *group = to_group(dev);

	return sysfs_emit(buf, "%d\n", group->iommu_group ? iommu_group_id(group->iommu_group) : -1);
}
static DEVICE_ATTR_RO(iommu_group);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sluice_group *group = to_group(dev);
	const char *state = "idle";

	mutex_lock(&group->lock);
	if (group->gone)
		state = "removed";
	else if (group->open_count)
		state = "open";
	else if (!group->iommu_group)
		state = READ_ONCE(sluice_enable_noiommu) ? "idle" : "noiommu";
	else if (group->blocked)
		state = "blocked";
	else if (!sluice_group_msi_isolated(group->iommu_group) &&
		 !READ_ONCE(sluice_allow_unsafe_interrupts))
		state = "unsafe";
	else if (!sluice_group_coherent(group))
		state = "incoherent";
	mutex_unlock(&group->lock);
	return sysfs_emit(buf, "%s\n", state);
}
static DEVICE_ATTR_RO(state);

static ssize_t devices_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sluice_group *group = to_group(dev);
	struct sluice_device *sdev;
	ssize_t len = 0;

	mutex_lock(&group->lock);
	list_for_each_entry(sdev, &group->devices, entry)
		len += sysfs_emit_at(buf, len, "%s\n", pci_name(sdev->pdev));
	mutex_unlock(&group->lock);
	return len;
}
static DEVICE_ATTR_RO(devices);

static struct attribute *sluice_group_attrs[] = {
	&dev_attr_iommu_group.attr,
	&dev_attr_state.attr,
	&dev_attr_devices.attr,
	NULL,
};
ATTRIBUTE_GROUPS(sluice_group);

static char *sluice_devnode(SLUICE_DEVNODE_CONST struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "sluice/%s", dev_name(dev));
}

static struct class sluice_class = {
	.name = "sluice",
	SLUICE_CLASS_OWNER
	.devnode = sluice_devnode,
	.dev_groups = sluice_group_groups,
};

/* ---- the registry ---- */

static void sluice_group_release(struct device *dev)
{
	struct sluice_group *group = to_group(dev);

	iommu_group_put(group->iommu_group);
	mutex_destroy(&group->lock);
	kfree(group);
}

/*
 * The registry's lock is held: of two members that come at once, the second finds the first one's
 * group.
 */
static struct sluice_group *sluice_group_create(struct iommu_group *iommu_group)
{
	struct sluice_group *group;
	int minor, ret;

	group = kzalloc(sizeof(*group), GFP_KERNEL);
	if (!group)
		return ERR_PTR(-ENOMEM);
	minor = idr_alloc(&sluice_minors, NULL, 0, SLUICE_MINORS, GFP_KERNEL);
	if (minor < 0) {
		kfree(group);
		return ERR_PTR(minor);
	}
	mutex_init(&group->lock);
	INIT_LIST_HEAD(&group->devices);
	INIT_WORK(&group->state_work, sluice_group_state_work);
	if (iommu_group)
		group->iommu_group = iommu_group_ref_get(iommu_group);
	device_initialize(&group->dev);
	group->dev.class = &sluice_class;
	group->dev.release = sluice_group_release;
	group->dev.devt = MKDEV(MAJOR(sluice_devt), minor);
	ret = dev_set_name(&group->dev, iommu_group ? "%d" : "noiommu-%d", minor);
	if (ret)
		goto put;
	ret = device_add(&group->dev);
	if (ret)
		goto put;
	idr_replace(&sluice_minors, group, minor);
	list_add(&group->entry, &sluice_groups);
	return group;

put:
	idr_remove(&sluice_minors, minor);
	put_device(&group->dev);
	return ERR_PTR(ret);
}

static int sluice_group_join(struct sluice_group *group, struct sluice_device *sdev)
{
	struct sluice_device *other;
	int ret = 0;

	mutex_lock(&group->lock);
	list_for_each_entry(other, &group->devices, entry)
		if (other->pdev == sdev->pdev)
			ret = -EBUSY;
	if (!ret) {
		list_add_tail(&sdev->entry, &group->devices);
		group->num_devices++;
		get_device(&group->dev);
		sdev->group = group;
	}
	mutex_unlock(&group->lock);
	return ret;
}

/**
 * sluice_group_add - put a device into its group, which is made if it is the first
 * @sdev: the device, which refers to the group from now on
 */
struct sluice_group *sluice_group_add(struct sluice_device *sdev)
{
	struct iommu_group *iommu_group = iommu_group_get(&sdev->pdev->dev);
	struct sluice_group *group = NULL;
	int ret;

	if (!iommu_group) {
		if (!READ_ONCE(sluice_enable_noiommu)) {
			pci_err(sdev->pdev, "refused: no IOMMU group; enable the IOMMU (intel_iommu=on, amd_iommu=on)\n");
			return ERR_PTR(-ENODEV);
		}
		add_taint(TAINT_USER, LOCKDEP_STILL_OK);
		pci_warn(sdev->pdev, "NO IOMMU: whoever opens this device can make it read and write all memory\n");
	}
	mutex_lock(&sluice_registry_lock);
	if (iommu_group)
		group = sluice_group_find(iommu_group);
	if (!group)
		group = sluice_group_create(iommu_group);
	if (!IS_ERR(group)) {
		ret = sluice_group_join(group, sdev);
		if (ret)
			group = ERR_PTR(ret);
		else
			sluice_group_check_state(group);
	}
	mutex_unlock(&sluice_registry_lock);
	iommu_group_put(iommu_group);
	return group;
}

/*
 * group->lock is held. DMA of the group ends here. Returns the space, to be put without that lock.
 */
static struct sluice_space *sluice_group_quiesce(struct sluice_group *group)
{
	struct sluice_space *space = NULL;

	swap(space, group->space);
	if (space)
		sluice_space_detach(space, group->iommu_group);
	if (group->claimed)
		iommu_group_release_dma_owner(group->iommu_group);
	group->claimed = false;
	return space;
}

/**
 * sluice_group_remove - take a device out of its group
 * @sdev: the device, closed or revoked
 *
 * With the last one the group goes: its DMA is over when this returns, and files that are still
 * open answer ENODEV.
 */
void sluice_group_remove(struct sluice_device *sdev)
{
	struct sluice_group *group = sdev->group;
	struct sluice_space *space = NULL;
	bool last;

	mutex_lock(&sluice_registry_lock);
	mutex_lock(&group->lock);
	list_del(&sdev->entry);
	last = !--group->num_devices;
	if (last) {
		group->gone = true;
		space = sluice_group_quiesce(group);
	}
	mutex_unlock(&group->lock);
	if (space)
		sluice_space_put_later(space);
	if (last) {
		list_del(&group->entry);
		idr_remove(&sluice_minors, MINOR(group->dev.devt));
		device_del(&group->dev);
		put_device(&group->dev);
	}
	mutex_unlock(&sluice_registry_lock);
}

/**
 * sluice_group_drop_open - one of the group's files has been closed
 * @group: the group, locked
 *
 * Returns a space to be put once @group is unlocked, or NULL.
 */
struct sluice_space *sluice_group_drop_open(struct sluice_group *group)
{
	return --group->open_count ? NULL : sluice_group_quiesce(group);
}

/* ---- the group fd ---- */

static int sluice_group_claim(struct sluice_group *group)
{
	int ret;

	if (!group->iommu_group) {
		if (!READ_ONCE(sluice_enable_noiommu) || !capable(CAP_SYS_RAWIO))
			return -EPERM;
		dev_warn(&group->dev, "opened without an IOMMU by %s[%d]\n", current->comm, task_pid_nr(current));
		return 0;
	}
	group->unsafe = !sluice_group_msi_isolated(group->iommu_group);
	if (group->unsafe) {
		if (!READ_ONCE(sluice_allow_unsafe_interrupts)) {
			dev_err_ratelimited(&group->dev, "refused: the IOMMU does not isolate this group's MSI, so that its devices could raise any interrupt; enable interrupt remapping, or accept the risk with sluice_pci.allow_unsafe_interrupts=1\n");
			return -EPERM;
		}
		add_taint(TAINT_USER, LOCKDEP_STILL_OK);
		dev_warn(&group->dev, "opened although its MSI is not isolated (allow_unsafe_interrupts)\n");
	}
	if (!sluice_group_coherent(group)) {
		dev_err_ratelimited(&group->dev, "refused: DMA of a member is not cache coherent\n");
		return -EOPNOTSUPP;
	}
	ret = iommu_group_claim_dma_owner(group->iommu_group, group);
	if (ret) {
		dev_err_ratelimited(&group->dev, "refused: a member of IOMMU group %d is bound to a driver that uses the kernel's DMA, or owned by somebody else (%d)\n",
			iommu_group_id(group->iommu_group), ret);
		return -EBUSY;
	}
	group->claimed = true;
	return 0;
}

static int sluice_group_fop_open(struct inode *inode, struct file *file)
{
	struct sluice_group *group;
	int ret;

	/*
	 * the reference is taken under the lock that the group would have to leave the registry by
	 */
	mutex_lock(&sluice_registry_lock);
	group = idr_find(&sluice_minors, iminor(inode));
	if (group)
		get_device(&group->dev);
	mutex_unlock(&sluice_registry_lock);
	if (!group)
		return -ENODEV;

	mutex_lock(&group->lock);
	ret = group->gone ? -ENODEV : group->open_count ? -EBUSY : sluice_group_claim(group);
	if (!ret) {
		group->open_count = 1;
		file->private_data = group;
	}
	mutex_unlock(&group->lock);
	if (ret)
		put_device(&group->dev);
	return ret;
}

static int sluice_group_fop_release(struct inode *inode, struct file *file)
{
	struct sluice_group *group = file->private_data;
	struct sluice_space *space;

	mutex_lock(&group->lock);
	space = sluice_group_drop_open(group);
	mutex_unlock(&group->lock);
	if (space)
		sluice_space_put(space);
	put_device(&group->dev);
	return 0;
}

static int sluice_do_group_info(void *obj, void *arg)
{
	struct sluice_group *group = obj;
	struct sluice_group_info *info = arg;
	struct sluice_device *sdev;

	info->iommu_group = group->iommu_group ? iommu_group_id(group->iommu_group) : -1;
	info->minor = MINOR(group->dev.devt);
	info->num_devices = group->num_devices;
	info->num_open = 0;
	list_for_each_entry(sdev, &group->devices, entry)
		info->num_open += !!READ_ONCE(sdev->open_count);
	info->flags = (group->space ? SLUICE_GROUP_HAS_SPACE : 0) |
		      (group->iommu_group ? 0 : SLUICE_GROUP_NOIOMMU) |
		      (group->unsafe ? SLUICE_GROUP_UNSAFE_INTERRUPTS : 0);
	return 0;
}

static int sluice_do_new_space(void *obj, void *arg)
{
	struct sluice_group *group = obj;

	if (!group->iommu_group)
		return -EOPNOTSUPP;
	return sluice_space_new(list_first_entry(&group->devices, struct sluice_device, entry));
}

static int sluice_do_attach(void *obj, void *arg)
{
	struct sluice_group *group = obj;
	struct sluice_group_attach *req = arg;
	struct sluice_space *space;
	int ret;

	if (req->reserved)
		return -EINVAL;
	if (!group->iommu_group)
		return -EOPNOTSUPP;
	space = sluice_space_get_fd(req->space_fd);
	if (IS_ERR(space))
		return PTR_ERR(space);
	mutex_lock(&group->lock);
	if (group->gone || group->space)
		ret = group->gone ? -ENODEV : -EBUSY;
	else
		ret = sluice_space_attach(space, group->iommu_group);
	if (!ret)
		group->space = space;
	mutex_unlock(&group->lock);
	if (ret)
		sluice_space_put(space);
	return ret;
}

static int sluice_do_detach(void *obj, void *arg)
{
	struct sluice_group *group = obj;
	struct sluice_space *space = NULL;
	struct sluice_device *sdev;
	int ret = 0;

	mutex_lock(&group->lock);
	if (group->gone || !group->space)
		ret = group->gone ? -ENODEV : -EINVAL;
	list_for_each_entry(sdev, &group->devices, entry)
		if (!ret && sdev->open_count)
			ret = -EBUSY;
	if (!ret) {
		swap(space, group->space);
		sluice_space_detach(space, group->iommu_group);
	}
	mutex_unlock(&group->lock);
	if (space)
		sluice_space_put(space);
	return ret;
}

static int sluice_do_get_device(void *obj, void *arg)
{
	struct sluice_group *group = obj;
	struct sluice_group_get_device *req = arg;
	struct sluice_device *sdev;
	int ret = -ENODEV;

	if (strnlen(req->name, sizeof(req->name)) == sizeof(req->name))
		return -EINVAL;
	list_for_each_entry(sdev, &group->devices, entry) {
		if (strcmp(pci_name(sdev->pdev), req->name))
			continue;
		ret = sluice_device_open(sdev);
		if (ret >= 0)
			group->open_count++;
		break;
	}
	return ret;
}

static const struct sluice_ioctl sluice_group_ioctls[] = {
	SLUICE_ENTRY(GROUP_INFO, group_info, SLUICE_LOCK | SLUICE_OUT, 0, sluice_do_group_info),
	SLUICE_ENTRY(GROUP_NEW_SPACE, group_new_space, SLUICE_LOCK, 0, sluice_do_new_space),
	SLUICE_ENTRY(GROUP_ATTACH, group_attach, 0, 0, sluice_do_attach),
	SLUICE_ENTRY(GROUP_DETACH, group_detach, 0, 0, sluice_do_detach),
	SLUICE_ENTRY(GROUP_GET_DEVICE, group_get_device, SLUICE_LOCK, 0, sluice_do_get_device),
};

static long sluice_group_fop_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct sluice_group *group = file->private_data;

	return sluice_ioctl(sluice_group_ioctls, ARRAY_SIZE(sluice_group_ioctls), group, &group->lock,
			    &group->gone, cmd, arg);
}

static const struct file_operations sluice_group_fops = {
	.owner = THIS_MODULE,
	.open = sluice_group_fop_open,
	.release = sluice_group_fop_release,
	.unlocked_ioctl = sluice_group_fop_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

int sluice_groups_init(void)
{
	int ret = class_register(&sluice_class);

	if (ret)
		return ret;
	ret = alloc_chrdev_region(&sluice_devt, 0, SLUICE_MINORS, "sluice");
	if (ret)
		goto class;
	cdev_init(&sluice_cdev, &sluice_group_fops);
	sluice_cdev.owner = THIS_MODULE;
	ret = cdev_add(&sluice_cdev, sluice_devt, SLUICE_MINORS);
	if (ret)
		goto region;
	return 0;

region:
	unregister_chrdev_region(sluice_devt, SLUICE_MINORS);
class:
	class_unregister(&sluice_class);
	return ret;
}

void sluice_groups_exit(void)
{
	cdev_del(&sluice_cdev);
	unregister_chrdev_region(sluice_devt, SLUICE_MINORS);
	class_unregister(&sluice_class);
	idr_destroy(&sluice_minors);
}
