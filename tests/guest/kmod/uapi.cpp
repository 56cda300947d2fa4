// SPDX-License-Identifier: BSD-3-Clause
#include "sluice_pci_uapi.h"

unsigned long sluice_uapi_in_cpp();
unsigned long sluice_uapi_in_cpp() {
    return SLUICE_REGION_OFFSET(SLUICE_REGION_CONFIG) + sizeof(sluice_set_irqs);
}
