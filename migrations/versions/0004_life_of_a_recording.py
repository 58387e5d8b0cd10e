"""life of a recording

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-22 18:29:03.969020

"""
from alembic import op
import sqlalchemy as sa

import cctv.models.columns

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('export',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('camera_ids', sa.JSON(), nullable=False),
    sa.Column('started_ms', sa.BigInteger(), nullable=False),
    sa.Column('ended_ms', sa.BigInteger(), nullable=False),
    sa.Column('has_time_track', sa.Boolean(), nullable=False),
    sa.Column('is_evidence', sa.Boolean(), nullable=False),
    sa.Column('note', sa.String(length=300), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('phase', sa.String(length=40), nullable=False),
    sa.Column('permille', sa.Integer(), nullable=False),
    sa.Column('wants_cancel', sa.Boolean(), nullable=False),
    sa.Column('estimated_bytes', sa.BigInteger(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=True),
    sa.Column('file_name', sa.String(length=200), nullable=True),
    sa.Column('sha256', sa.String(length=64), nullable=True),
    sa.Column('cause', sa.String(length=300), nullable=False),
    sa.Column('result', sa.JSON(), nullable=False),
    sa.Column('node_id', sa.Integer(), nullable=True),
    sa.Column('worker', sa.String(length=40), nullable=True),
    sa.Column('created_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('finished_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('keep_until', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], name=op.f('fk_export_node_id_node')),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_export_user_id_user'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_export'))
    )
    with op.batch_alter_table('export', schema=None) as batch_op:
        batch_op.create_index('ix_export_created', ['created_at'], unique=False)
        batch_op.create_index('ix_export_state', ['state', 'keep_until'], unique=False)
        batch_op.create_index(batch_op.f('ix_export_user_id'), ['user_id'], unique=False)

    op.create_table('schedule',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('is_active', sa.Boolean(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('created_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_schedule_user_id_user'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_schedule')),
    sa.UniqueConstraint('name', name=op.f('uq_schedule_name'))
    )
    op.create_table('activity',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.Column('started_ms', sa.BigInteger(), nullable=False),
    sa.Column('ended_ms', sa.BigInteger(), nullable=True),
    sa.Column('peak', sa.Float(), nullable=False),
    sa.Column('peak_ms', sa.BigInteger(), nullable=True),
    sa.Column('zone', sa.String(length=80), nullable=False),
    sa.ForeignKeyConstraint(['camera_id'], ['camera.id'], name=op.f('fk_activity_camera_id_camera'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_activity'))
    )
    with op.batch_alter_table('activity', schema=None) as batch_op:
        batch_op.create_index('ix_activity_camera', ['camera_id', 'started_ms', 'ended_ms'], unique=False)

    op.create_table('chain_head',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('ended_ms', sa.BigInteger(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('key_id', sa.String(length=16), nullable=False),
    sa.Column('signature', sa.String(length=128), nullable=False),
    sa.Column('is_in_cloud', sa.Boolean(), nullable=False),
    sa.Column('signed_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['camera_id'], ['camera.id'], name=op.f('fk_chain_head_camera_id_camera'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_chain_head')),
    sa.UniqueConstraint('camera_id', 'day', name=op.f('uq_chain_head_camera_id_day'))
    )
    op.create_table('chain_removal',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.Column('first_number', sa.Integer(), nullable=False),
    sa.Column('last_number', sa.Integer(), nullable=False),
    sa.Column('last_hash', sa.String(length=64), nullable=False),
    sa.Column('reason', sa.String(length=8), nullable=False),
    sa.Column('started_ms', sa.BigInteger(), nullable=False),
    sa.Column('ended_ms', sa.BigInteger(), nullable=False),
    sa.Column('removed_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['camera_id'], ['camera.id'], name=op.f('fk_chain_removal_camera_id_camera'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_chain_removal'))
    )
    with op.batch_alter_table('chain_removal', schema=None) as batch_op:
        batch_op.create_index('ix_chain_removal_camera', ['camera_id', 'first_number'], unique=False)

    op.create_table('schedule_camera',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('schedule_id', sa.Integer(), nullable=False),
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.Column('started_ms', sa.BigInteger(), nullable=False),
    sa.Column('ended_ms', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['camera_id'], ['camera.id'], name=op.f('fk_schedule_camera_camera_id_camera'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['schedule_id'], ['schedule.id'], name=op.f('fk_schedule_camera_schedule_id_schedule'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_schedule_camera'))
    )
    with op.batch_alter_table('schedule_camera', schema=None) as batch_op:
        batch_op.create_index('ix_schedule_camera_camera', ['camera_id', 'started_ms'], unique=False)
        batch_op.create_index('ix_schedule_camera_schedule', ['schedule_id', 'started_ms'], unique=False)

    op.create_table('schedule_version',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('schedule_id', sa.Integer(), nullable=False),
    sa.Column('started_ms', sa.BigInteger(), nullable=False),
    sa.Column('ended_ms', sa.BigInteger(), nullable=True),
    sa.Column('time_zone', sa.String(length=64), nullable=False),
    sa.Column('weekly', sa.JSON(), nullable=False),
    sa.Column('exceptions', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['schedule_id'], ['schedule.id'], name=op.f('fk_schedule_version_schedule_id_schedule'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_schedule_version'))
    )
    with op.batch_alter_table('schedule_version', schema=None) as batch_op:
        batch_op.create_index('ix_schedule_version_schedule', ['schedule_id', 'started_ms'], unique=False)

    op.create_table('transfer',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('segment_id', sa.Integer(), nullable=True),
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.Column('node_id', sa.Integer(), nullable=False),
    sa.Column('ended_ms', sa.BigInteger(), nullable=False),
    sa.Column('is_local', sa.Boolean(), nullable=False),
    sa.Column('bucket', sa.String(length=222), nullable=False),
    sa.Column('object_name', sa.String(length=300), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('crc32c', sa.String(length=12), nullable=True),
    sa.Column('generation', sa.String(length=24), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('offset_bytes', sa.BigInteger(), nullable=False),
    sa.Column('session_sealed', sa.Text(), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('worker', sa.String(length=40), nullable=True),
    sa.Column('cause', sa.String(length=300), nullable=False),
    sa.Column('reason', sa.String(length=16), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('created_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('verified_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['camera_id'], ['camera.id'], name=op.f('fk_transfer_camera_id_camera'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], name=op.f('fk_transfer_node_id_node')),
    sa.ForeignKeyConstraint(['segment_id'], ['segment.id'], name=op.f('fk_transfer_segment_id_segment'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_transfer_user_id_user'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transfer')),
    sa.UniqueConstraint('object_name', name=op.f('uq_transfer_object_name')),
    sa.UniqueConstraint('segment_id', name=op.f('uq_transfer_segment_id'))
    )
    with op.batch_alter_table('transfer', schema=None) as batch_op:
        batch_op.create_index('ix_transfer_camera', ['camera_id', 'state', 'ended_ms'], unique=False)
        batch_op.create_index('ix_transfer_due', ['state', 'priority', 'next_at'], unique=False)
        batch_op.create_index(
            'ix_transfer_local', ['node_id', 'ended_ms'], unique=False,
            sqlite_where=sa.text("is_local AND state = 'verified'"),
            postgresql_where=sa.text("is_local AND state = 'verified'"),
        )

    with op.batch_alter_table('camera', schema=None) as batch_op:
        batch_op.add_column(sa.Column('post_roll_seconds', sa.Integer(), nullable=False, server_default='10'))
        batch_op.add_column(sa.Column('watches_activity', sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column('sensitivity', sa.Integer(), nullable=False, server_default='50'))
        batch_op.add_column(sa.Column('zones', sa.JSON(), nullable=False, server_default='[]'))
        batch_op.add_column(sa.Column('activity_seen_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('activity_trouble', sa.String(length=200), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('keep_days', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('keep_bytes', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('listed_from_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('chain_number', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('chain_hash', sa.String(length=64), nullable=False, server_default='0' * 64))

    with op.batch_alter_table('node', schema=None) as batch_op:
        batch_op.add_column(sa.Column('cloud_state', sa.String(length=8), nullable=False, server_default='ok'))
        batch_op.add_column(sa.Column('cloud_detail', sa.String(length=300), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('cloud_since_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('cloud_next_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('cloud_tries', sa.Integer(), nullable=False, server_default='0'))

    with op.batch_alter_table('mode_change', schema=None) as batch_op:
        batch_op.add_column(sa.Column('pre_roll_seconds', sa.Integer(), nullable=False, server_default='10'))
        batch_op.add_column(sa.Column('post_roll_seconds', sa.Integer(), nullable=False, server_default='10'))

    with op.batch_alter_table('segment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('chain_number', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('chain_hash', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('checked_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('removal', sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column('damage', sa.String(length=12), nullable=False, server_default=''))
    op.create_index(
        'ix_segment_unlinked', 'segment', ['id'],
        sqlite_where=sa.text('chain_number IS NULL AND sha256 IS NOT NULL'),
        postgresql_where=sa.text('chain_number IS NULL AND sha256 IS NOT NULL'),
    )
    op.create_index(
        'ix_segment_damaged', 'segment', ['stream_id', 'started_ms'],
        sqlite_where=sa.text('is_damaged'), postgresql_where=sa.text('is_damaged'),
    )
    # With the size, so that how much is kept is summed without reading the rows.
    op.drop_index('ix_segment_time', 'segment')
    op.create_index('ix_segment_time', 'segment', ['stream_id', 'started_ms', 'ended_ms', 'state', 'size_bytes'])

    # The one built-in schedule; its version gets the time zone of the site as soon as that is known.
    op.execute("INSERT INTO schedule (name, is_active, version, created_at) VALUES ('Always', true, 1, CURRENT_TIMESTAMP)")
    op.execute(
        "INSERT INTO schedule_version (schedule_id, started_ms, ended_ms, time_zone, weekly, exceptions) "
        "SELECT id, 0, NULL, 'UTC', '[" + ",".join(f'[{day},0,1440,"continuous"]' for day in range(7)) + "]', '[]' FROM schedule"
    )


def downgrade():
    op.drop_index('ix_segment_time', 'segment')
    op.create_index('ix_segment_time', 'segment', ['stream_id', 'started_ms', 'ended_ms', 'state'])
    op.drop_index('ix_segment_damaged', 'segment')
    op.drop_index('ix_segment_unlinked', 'segment')
    with op.batch_alter_table('segment', schema=None) as batch_op:
        batch_op.drop_column('damage')
        batch_op.drop_column('removal')
        batch_op.drop_column('checked_ms')
        batch_op.drop_column('chain_hash')
        batch_op.drop_column('chain_number')

    with op.batch_alter_table('node', schema=None) as batch_op:
        batch_op.drop_column('cloud_tries')
        batch_op.drop_column('cloud_next_ms')
        batch_op.drop_column('cloud_since_ms')
        batch_op.drop_column('cloud_detail')
        batch_op.drop_column('cloud_state')

    with op.batch_alter_table('mode_change', schema=None) as batch_op:
        batch_op.drop_column('post_roll_seconds')
        batch_op.drop_column('pre_roll_seconds')

    with op.batch_alter_table('camera', schema=None) as batch_op:
        batch_op.drop_column('chain_hash')
        batch_op.drop_column('chain_number')
        batch_op.drop_column('listed_from_ms')
        batch_op.drop_column('keep_bytes')
        batch_op.drop_column('keep_days')
        batch_op.drop_column('activity_trouble')
        batch_op.drop_column('activity_seen_ms')
        batch_op.drop_column('zones')
        batch_op.drop_column('sensitivity')
        batch_op.drop_column('watches_activity')
        batch_op.drop_column('post_roll_seconds')

    with op.batch_alter_table('transfer', schema=None) as batch_op:
        batch_op.drop_index('ix_transfer_local')
        batch_op.drop_index('ix_transfer_due')
        batch_op.drop_index('ix_transfer_camera')

    op.drop_table('transfer')
    with op.batch_alter_table('schedule_version', schema=None) as batch_op:
        batch_op.drop_index('ix_schedule_version_schedule')

    op.drop_table('schedule_version')
    with op.batch_alter_table('schedule_camera', schema=None) as batch_op:
        batch_op.drop_index('ix_schedule_camera_schedule')
        batch_op.drop_index('ix_schedule_camera_camera')

    op.drop_table('schedule_camera')
    with op.batch_alter_table('chain_removal', schema=None) as batch_op:
        batch_op.drop_index('ix_chain_removal_camera')

    op.drop_table('chain_removal')
    op.drop_table('chain_head')
    with op.batch_alter_table('activity', schema=None) as batch_op:
        batch_op.drop_index('ix_activity_camera')

    op.drop_table('activity')
    op.drop_table('schedule')
    with op.batch_alter_table('export', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_export_user_id'))
        batch_op.drop_index('ix_export_state')
        batch_op.drop_index('ix_export_created')

    op.drop_table('export')
