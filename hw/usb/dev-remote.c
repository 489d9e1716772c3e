/*
 * USB device whose other end is a program
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * -device usb-remote,chardev=ID forwards what the guest does with the device
 * to whatever is connected to the chardev, the peer, in the protocol of
 * remote-proto.h.  This file has the device's life: plugging and unplugging,
 * bus events, properties, migration.  dev-remote.h says where the rest is.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "migration/vmstate.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "system/replay.h"
#include "system/system.h"
#include "dev-remote.h"
#include "trace.h"

QEMU_BUILD_BUG_ON(USB_REMOTE_SPEED_LOW != USB_SPEED_LOW);
QEMU_BUILD_BUG_ON(USB_REMOTE_SPEED_FULL != USB_SPEED_FULL);
QEMU_BUILD_BUG_ON(USB_REMOTE_SPEED_HIGH != USB_SPEED_HIGH);
QEMU_BUILD_BUG_ON(USB_REMOTE_SPEED_SUPER != USB_SPEED_SUPER);

/*
 * For logs and traces.  Without the check that DEVICE() makes, because traces
 * want it for each message whether they are on or not.
 */
const char *remote_name(USBRemoteState *s)
{
    return s->parent_obj.qdev.id ?: "(no id)";
}

/* What is due is done from the bottom half. */
void remote_schedule(USBRemoteState *s)
{
    qemu_bh_schedule(s->bh);
}

/* Plugging and unplugging */

static void remote_unplug(USBRemoteState *s)
{
    USBDevice *udev = USB_DEVICE(s);

    trace_usb_remote_unplug(remote_name(s), s->attachment.number);
    s->plug = REMOTE_OUT;
    remote_abort(s, USB_RET_NODEV);
    usb_device_detach(udev);
    s->detached_at = remote_now(s);
    remote_table_forget(s);
    pstrcpy(udev->product_desc, sizeof(udev->product_desc),
            usb_device_get_product_desc(udev));
}

static void remote_plug(USBRemoteState *s)
{
    USBDevice *udev = USB_DEVICE(s);
    RemoteAttachment *a = &s->attachment;
    Error *err = NULL;

    udev->speedmask = a->speeds;
    remote_abort(s, USB_RET_NODEV);
    a->answer_owed = false;
    usb_device_attach(udev, &err);
    trace_usb_remote_plug(remote_name(s), a->number, a->speeds,
                          err ? -1 : remote_speed(s));
    if (err) {
        a->wanted = false;
        remote_conn_attached(s, USB_REMOTE_ATTACHED_NO_SPEED,
                             error_get_pretty(err));
        error_free(err);
        return;
    }
    s->plug = REMOTE_IN;
    remote_table_reset(s);
    remote_conn_attached(s, USB_REMOTE_ATTACHED_OK, NULL);
}

/* When a device that waits for it may be plugged in, or INT64_MAX. */
static int64_t remote_plug_time(USBRemoteState *s)
{
    if (!s->attachment.wanted || USB_DEVICE(s)->attached) {
        return INT64_MAX;
    }
    return s->detached_at + s->attachment.gap_ns;
}

/*
 * Unplug, say so, and plug in anew, as far as it is time for that.  Returns
 * when to look again, or INT64_MAX.
 */
static int64_t remote_replug(USBRemoteState *s)
{
    if (s->plug == REMOTE_LEAVING) {
        int64_t again = remote_last_words(s, s->left_at);

        if (again) {
            return again;
        }
        remote_unplug(s);
    }
    if (s->detach_owed) {
        s->detach_owed = false;
        remote_conn_detached(s, s->detached_number);
    }
    if (remote_now(s) >= remote_plug_time(s)) {
        remote_plug(s);
    }
    return remote_plug_time(s);
}

/*
 * The peer has given up what the guest may still see: nothing more is asked
 * of it, and it is unplugged when the VM runs and the guest has the answers.
 */
static void remote_let_go(USBRemoteState *s)
{
    if (s->plug == REMOTE_IN) {
        trace_usb_remote_leave(remote_name(s), s->attachment.number);
        s->plug = REMOTE_LEAVING;
        s->left_at = remote_now(s);
        remote_void_unanswered(s);
    }
}

/* ATTACH; its form was checked.  Returns USB_REMOTE_ERROR_*. */
int remote_attach(USBRemoteState *s, uint32_t number, const UsbRemoteAttach *m,
                  const char **why)
{
    RemoteAttachment *a = &s->attachment;

    if (number != a->number + 1) {
        *why = "is not the number after the last one";
        return USB_REMOTE_ERROR_UNEXPECTED;
    }
    if (a->answer_owed) {
        *why = "before the last ATTACH was answered";
        return USB_REMOTE_ERROR_UNEXPECTED;
    }
    remote_let_go(s);
    remote_conn_overtaken(s);
    a->number = number;
    a->wanted = true;
    a->answer_owed = true;
    a->speeds = m->speeds[0];
    a->address_policy = m->address_policy[0];
    a->gap_ns = usb_remote_get32(m->gap_ms) * (int64_t)SCALE_MS;
    a->have_table = usb_remote_get16(m->flags) & USB_REMOTE_ATTACH_ENDPOINTS;
    a->endpoint_count = usb_remote_get16(m->endpoint_count);
    memcpy(a->table, m + 1, a->endpoint_count * sizeof(a->table[0]));
    return USB_REMOTE_ERROR_NONE;
}

/* DETACH.  Returns USB_REMOTE_ERROR_*. */
int remote_detach(USBRemoteState *s, uint32_t number, const char **why)
{
    RemoteAttachment *a = &s->attachment;

    if (number > a->number || number == 0) {
        *why = "was never attached";
        return USB_REMOTE_ERROR_UNEXPECTED;
    }
    if (number < a->number) {
        return USB_REMOTE_ERROR_NONE;   /* crossed with an ATTACH */
    }
    remote_let_go(s);
    remote_conn_overtaken(s);
    s->detach_owed = true;
    s->detached_number = number;
    a->wanted = false;
    a->answer_owed = false;
    return USB_REMOTE_ERROR_NONE;
}

/* The connection is gone: a surprise removal, once the VM runs. */
void remote_lost(USBRemoteState *s)
{
    RemoteAttachment *a = &s->attachment;

    remote_let_go(s);
    s->detach_owed = false;
    memset(a, 0, sizeof(*a));
    s->epoch = 0;
    remote_spares_drop(s);
}

static void remote_signal_wakeup(USBRemoteState *s)
{
    if (s->remote_wakeup_due) {
        s->remote_wakeup_due = false;
        if (remote_on_bus(s)) {
            usb_wakeup(usb_ep_get(USB_DEVICE(s), USB_TOKEN_IN, 0), 0);
        }
    }
}

/*
 * All that the guest can see, and the sending that follows from it.  Not to
 * be called from a handler of the USB core.
 */
void remote_run(USBRemoteState *s)
{
    int64_t next, again;

    if (s->in_run) {
        remote_schedule(s);
        return;
    }
    s->in_run = true;
    s->conn.spoilt = false;
    next = remote_requests_tick(s, remote_now(s));
    if (remote_live()) {
        if (s->plug == REMOTE_GONE) {
            remote_unplug(s);
        }
        remote_deliver(s);
        remote_signal_wakeup(s);
        again = remote_replug(s);
        next = MIN(next, again);
    }
    s->in_run = false;
    remote_clock_alarm(&s->clock, next);
    remote_conn_expect(s, remote_answers_by(s));
    remote_conn_settle(s);
}

static void remote_bh(void *opaque)
{
    remote_run(opaque);
}

static void remote_vm_state_change(void *opaque, bool running, RunState state)
{
    USBRemoteState *s = opaque;

    remote_answers_renew(s);
    remote_conn_due(s, REMOTE_DUE_VMSTATE);
    remote_schedule(s);
}

/* All that was asked is void; an address of before is of no interest. */
static void remote_next_epoch(USBRemoteState *s)
{
    s->epoch++;
    s->conn.due &= ~REMOTE_DUE_ADDRESS;
    remote_conn_due(s, REMOTE_DUE_RESET);
}

/* From the USB core */

static void usb_remote_handle_reset(USBDevice *udev)
{
    USBRemoteState *s = USB_REMOTE(udev);

    remote_next_epoch(s);
    remote_abort(s, USB_RET_IOERROR);
    remote_table_reset(s);
    udev->configuration = 0;
    trace_usb_remote_reset(remote_name(s), s->epoch, remote_speed(s));
}

/*
 * SET_ADDRESS never reaches the peer: the core finds devices by the address.
 * xHCI sends it by itself and cannot wait for the answer.
 */
static void remote_set_address(USBRemoteState *s, USBPacket *p, int value,
                               bool may_wait)
{
    int policy = s->attachment.address_policy;

    trace_usb_remote_address(remote_name(s), value & 0x7f, policy);
    switch (policy) {
    case USB_REMOTE_ADDRESS_STALL:
        p->status = USB_RET_STALL;
        break;
    case USB_REMOTE_ADDRESS_IOERROR:
        p->status = USB_RET_IOERROR;
        break;
    case USB_REMOTE_ADDRESS_SILENCE:
        if (may_wait) {
            remote_hold(s, p, USB_RET_ASYNC, true);
        } else {
            p->status = USB_RET_NAK;
        }
        break;
    default:
        USB_DEVICE(s)->addr = value & 0x7f;
        s->address = value & 0x7f;
        if (s->plug == REMOTE_IN) {     /* else it is of no attachment now */
            remote_conn_due(s, REMOTE_DUE_ADDRESS);
        }
    }
}

/*
 * An I/O error is a SETUP that nobody acknowledges, so the answer has to be
 * known in time.  A new address is in force after the status stage only.
 */
static bool usb_remote_control_at_setup(USBDevice *udev, int request)
{
    return request != (DeviceOutRequest | USB_REQ_SET_ADDRESS) ||
           USB_REMOTE(udev)->attachment.address_policy ==
           USB_REMOTE_ADDRESS_IOERROR;
}

static void usb_remote_handle_control(USBDevice *udev, USBPacket *p,
                                      int request, int value, int index,
                                      int length, uint8_t *data)
{
    USBRemoteState *s = USB_REMOTE(udev);

    if (request == (DeviceOutRequest | USB_REQ_SET_ADDRESS)) {
        remote_set_address(s, p, value, data != NULL);
    } else {
        remote_handle_control(s, p);
    }
}

static void usb_remote_handle_data(USBDevice *udev, USBPacket *p)
{
    remote_handle_data(USB_REMOTE(udev), p);
}

/*
 * All that the guest has for an endpoint is queued.  If the controller says
 * so after each packet that it hands over, send them at once: a turn of the
 * main loop may cost as much as the transfer.
 */
static void usb_remote_flush_ep_queue(USBDevice *udev, USBEndpoint *ep)
{
    USBRemoteState *s = USB_REMOTE(udev);

    if (remote_bus_has(s, USB_BUS_FLUSHES) && !s->in_run) {
        remote_conn_flush(s);
    }
}

static void usb_remote_cancel_packet(USBDevice *udev, USBPacket *p)
{
    remote_handle_cancel(USB_REMOTE(udev), p);
}

static void usb_remote_ep_stopped(USBDevice *udev, USBEndpoint *uep)
{
    remote_handle_stopped(USB_REMOTE(udev), uep);
}

/* Migration */

/*
 * The peer does not migrate, so whatever the guest was attached to is not
 * here: unplug it, as soon as all other devices are loaded and the VM runs.
 * With loadvm the peer may be the same; it is plugged in anew.
 */
static int usb_remote_post_load(void *opaque, int version_id)
{
    USBRemoteState *s = opaque;
    USBDevice *udev = USB_DEVICE(s);

    if (udev->speed < USB_SPEED_LOW || udev->speed > USB_SPEED_SUPER ||
        udev->setup_len < 0 || udev->setup_len > sizeof(udev->data_buf) ||
        udev->setup_index < 0 || udev->setup_index > udev->setup_len) {
        error_report("usb-remote '%s': the state to load has an impossible "
                     "speed or control transfer", remote_name(s));
        return -EINVAL;
    }
    s->plug = udev->attached ? REMOTE_GONE : REMOTE_OUT;
    s->detached_at = remote_now(s);     /* if it is out, it is from now on */
    remote_abort(s, USB_RET_NODEV);
    remote_next_epoch(s);
    return 0;
}

static const VMStateDescription vmstate_usb_remote = {
    .name = "usb-remote",
    .version_id = 1,
    .minimum_version_id = 1,
    .post_load = usb_remote_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_USB_DEVICE(parent_obj, USBRemoteState),
        VMSTATE_INT32(parent_obj.speed, USBRemoteState),
        VMSTATE_END_OF_LIST()
    }
};

/* Object */

static bool remote_check_properties(USBRemoteState *s, Error **errp)
{
    Chardev *chr = s->chr.chr;
    const char *select = s->select ?: "";
    const char *unfit;

    if (!chr) {
        error_setg(errp, "usb-remote needs a chardev: -chardev socket,id=ID,"
                   "... -device usb-remote,chardev=ID");
        return false;
    }
    unfit = remote_conn_unfit(chr);
    if (unfit) {
        error_setg(errp, "usb-remote: chardev '%s' %s", chr->label, unfit);
        return false;
    }
    if (strlen(select) > USB_REMOTE_MAX_SELECT ||
        !usb_remote_check_text((const uint8_t *)select, strlen(select))) {
        error_setg(errp, "usb-remote: select= must be UTF-8 of at most %d "
                   "bytes", USB_REMOTE_MAX_SELECT);
        return false;
    }
    if (replay_mode != REPLAY_MODE_NONE) {
        error_setg(errp, "usb-remote does not support record/replay: what "
                   "the peer does cannot be replayed");
        return false;
    }
    if (remote_bus_has(s, USB_BUS_NO_CANCEL)) {
        error_setg(errp, "usb-remote: the host controller of bus '%s' cannot "
                   "cancel transfers; use another one",
                   usb_bus_from_device(USB_DEVICE(s))->qbus.name);
        return false;
    }
    return true;
}

static void usb_remote_realize(USBDevice *udev, Error **errp)
{
    USBRemoteState *s = USB_REMOTE(udev);

    /* The peer decides when; on failure, bus.c must not look for more. */
    udev->auto_attach = 0;
    if (!remote_check_properties(s, errp)) {
        return;
    }
    remote_requests_init(s);
    remote_spares_init(s);
    remote_table_reset(s);
    s->bh = qemu_bh_new_guarded(remote_bh, s,
                                &DEVICE(s)->mem_reentrancy_guard);
    remote_clock_init(&s->clock, QEMU_CLOCK_VIRTUAL, remote_bh, s);
    s->vmstate = qdev_add_vm_change_state_handler(DEVICE(s),
                                                  remote_vm_state_change, s);
    remote_log_init(s);
    remote_conn_init(s);
    remote_conn_start(s);
}

static void usb_remote_unrealize(USBDevice *udev)
{
    USBRemoteState *s = USB_REMOTE(udev);

    /* The core has detached the device already. */
    s->plug = REMOTE_OUT;
    s->attachment.wanted = false;
    remote_conn_fini(s);
    remote_log_fini(s);
    qemu_del_vm_change_state_handler(s->vmstate);
    remote_clock_fini(&s->clock);
    remote_abort(s, USB_RET_NODEV);
    remote_spares_free(s);
    qemu_bh_delete(s->bh);
    remote_table_forget(s);
}

static bool usb_remote_get_connected(Object *obj, Error **errp)
{
    return USB_REMOTE(obj)->conn.state == REMOTE_OPEN;
}

static char *usb_remote_get_peer(Object *obj, Error **errp)
{
    return g_strdup(USB_REMOTE(obj)->conn.peer_name ?: "");
}

static char *usb_remote_get_speed(Object *obj, Error **errp)
{
    static const char *const names[] = { "low", "full", "high", "super" };
    USBRemoteState *s = USB_REMOTE(obj);

    return g_strdup(s->plug == REMOTE_IN ? names[remote_speed(s)] : "none");
}

static bool usb_remote_get_plugged(Object *obj, Error **errp)
{
    return USB_REMOTE(obj)->plug == REMOTE_IN;
}

static const struct {
    const char *name;
    size_t offset;
    const char *description;
} remote_counters[] = {
    { "submits", offsetof(USBRemoteState, stats.submits),
      "requests sent to the peer" },
    { "completes", offsetof(USBRemoteState, stats.completes),
      "requests that the peer answered" },
    { "cancels", offsetof(USBRemoteState, stats.cancels),
      "requests taken back" },
    { "stale", offsetof(USBRemoteState, stats.stale),
      "answers ignored because of a bus reset or unplugging" },
    { "naks", offsetof(USBRemoteState, stats.naks),
      "requests answered nak" },
    { "adopted", offsetof(USBRemoteState, stats.adopted),
      "cancelled OUT transfers that came back and were not sent twice" },
    { "bytes-in", offsetof(USBRemoteState, stats.bytes_in),
      "bytes given to the guest" },
    { "bytes-out", offsetof(USBRemoteState, stats.bytes_out),
      "bytes taken from the guest" },
    { "violations", offsetof(USBRemoteState, stats.violations),
      "connections closed because the peer broke the protocol" },
};

static void usb_remote_get_counter(Object *obj, Visitor *v, const char *name,
                                   void *opaque, Error **errp)
{
    uint64_t value = *(uint64_t *)((char *)USB_REMOTE(obj) +
                                   (uintptr_t)opaque);

    visit_type_uint64(v, name, &value, errp);
}

static void usb_remote_get_in_flight(Object *obj, Visitor *v, const char *name,
                                     void *opaque, Error **errp)
{
    USBRemoteState *s = USB_REMOTE(obj);
    uint32_t value = s->n_in_flight + s->eps[0].n_sent;

    visit_type_uint32(v, name, &value, errp);
}

static void usb_remote_add_state(ObjectClass *klass)
{
    int i;

    object_class_property_add_bool(klass, "connected",
                                   usb_remote_get_connected, NULL);
    object_class_property_set_description(klass, "connected",
        "a peer is connected and has said hello");
    object_class_property_add_str(klass, "peer", usb_remote_get_peer, NULL);
    object_class_property_set_description(klass, "peer",
        "name of the peer's implementation");
    object_class_property_add_bool(klass, "plugged", usb_remote_get_plugged,
                                   NULL);
    object_class_property_set_description(klass, "plugged",
        "the guest sees a device of the peer's");
    object_class_property_add_str(klass, "speed", usb_remote_get_speed, NULL);
    object_class_property_set_description(klass, "speed",
        "none, low, full, high or super");
    object_class_property_add(klass, "in-flight", "uint32",
                              usb_remote_get_in_flight, NULL, NULL, NULL);
    object_class_property_set_description(klass, "in-flight",
        "requests that the peer has not answered yet");
    for (i = 0; i < ARRAY_SIZE(remote_counters); i++) {
        object_class_property_add(klass, remote_counters[i].name, "uint64",
                                  usb_remote_get_counter, NULL, NULL,
                                  (void *)remote_counters[i].offset);
        object_class_property_set_description(klass, remote_counters[i].name,
                                              remote_counters[i].description);
    }
}

static const Property usb_remote_properties[] = {
    DEFINE_PROP_CHR("chardev", USBRemoteState, chr),
    DEFINE_PROP_STRING("select", USBRemoteState, select),
    DEFINE_PROP_UINT32("peer-timeout", USBRemoteState, peer_timeout, 10000),
};

static void usb_remote_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    USBDeviceClass *uc = USB_DEVICE_CLASS(klass);

    uc->product_desc = "USB remote device";
    uc->realize = usb_remote_realize;
    uc->unrealize = usb_remote_unrealize;
    uc->handle_reset = usb_remote_handle_reset;
    uc->control_at_setup = usb_remote_control_at_setup;
    uc->handle_control = usb_remote_handle_control;
    uc->handle_data = usb_remote_handle_data;
    uc->cancel_packet = usb_remote_cancel_packet;
    uc->ep_stopped = usb_remote_ep_stopped;
    uc->flush_ep_queue = usb_remote_flush_ep_queue;
    dc->vmsd = &vmstate_usb_remote;
    dc->desc = "USB device that is a program at the other end of a chardev";
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, usb_remote_properties);
    object_class_property_set_description(klass, "chardev",
        "the socket chardev that the peer is connected to");
    object_class_property_set_description(klass, "select",
        "text that tells the peer which device to be");
    object_class_property_set_description(klass, "peer-timeout",
        "ms until a peer that owes HELLO or an answer to CANCEL is "
        "disconnected, 0 for never");
    usb_remote_add_state(klass);
}

static void usb_remote_instance_init(Object *obj)
{
    USBRemoteState *s = USB_REMOTE(obj);

    device_add_bootindex_property(obj, &s->bootindex, "bootindex", NULL,
                                  DEVICE(obj));
    object_property_set_description(obj, "bootindex",
        "whose turn it is when the firmware looks for something to boot");
}

static const TypeInfo usb_remote_types[] = {
    {
        .name = TYPE_USB_REMOTE,
        .parent = TYPE_USB_DEVICE,
        .instance_size = sizeof(USBRemoteState),
        .instance_init = usb_remote_instance_init,
        .class_init = usb_remote_class_init,
    },
};

DEFINE_TYPES(usb_remote_types)
