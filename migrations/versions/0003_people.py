"""people

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-22 17:32:30.642526

"""
from alembic import op
import sqlalchemy as sa

import cctv.models.columns

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('audit_entry',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('user_name', sa.String(length=120), nullable=False),
    sa.Column('action', sa.String(length=48), nullable=False),
    sa.Column('target', sa.String(length=160), nullable=False),
    sa.Column('target_id', sa.Integer(), nullable=True),
    sa.Column('camera_id', sa.Integer(), nullable=True),
    sa.Column('address', sa.String(length=64), nullable=False),
    sa.Column('device', sa.String(length=120), nullable=False),
    sa.Column('details', sa.JSON(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry')),
    sa.UniqueConstraint('hash', name=op.f('uq_audit_entry_hash'))
    )
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.create_index('ix_audit_entry_action', ['action', 'at_ms'], unique=False)
        batch_op.create_index('ix_audit_entry_at', ['at_ms'], unique=False)
        batch_op.create_index('ix_audit_entry_camera', ['camera_id', 'at_ms'], unique=False)
        batch_op.create_index('ix_audit_entry_user', ['user_id', 'at_ms'], unique=False)

    op.create_table('camera_group',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_camera_group')),
    sa.UniqueConstraint('name', name=op.f('uq_camera_group_name'))
    )
    op.create_table('trapped_address',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('address', sa.String(length=64), nullable=False),
    sa.Column('first_ms', sa.BigInteger(), nullable=False),
    sa.Column('last_ms', sa.BigInteger(), nullable=False),
    sa.Column('hits', sa.Integer(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('blocked_until_ms', sa.BigInteger(), nullable=True),
    sa.Column('is_ours', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trapped_address')),
    sa.UniqueConstraint('address', name=op.f('uq_trapped_address_address'))
    )
    with op.batch_alter_table('trapped_address', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_trapped_address_last_ms'), ['last_ms'], unique=False)

    op.create_table('api_token',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('prefix', sa.String(length=12), nullable=False),
    sa.Column('secret_hash', sa.String(length=64), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('camera_ids', sa.JSON(), nullable=True),
    sa.Column('created_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('expires_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('last_address', sa.String(length=64), nullable=False),
    sa.Column('revoked_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_api_token_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_token')),
    sa.UniqueConstraint('secret_hash', name=op.f('uq_api_token_secret_hash'))
    )
    with op.batch_alter_table('api_token', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_api_token_user_id'), ['user_id'], unique=False)

    op.create_table('group_grant',
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('group_id', sa.Integer(), nullable=False),
    sa.Column('action', sa.String(length=16), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['camera_group.id'], name=op.f('fk_group_grant_group_id_camera_group'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_group_grant_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', 'group_id', 'action', name=op.f('pk_group_grant'))
    )
    with op.batch_alter_table('group_grant', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_group_grant_group_id'), ['group_id'], unique=False)

    op.create_table('idempotency_key',
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=128), nullable=False),
    sa.Column('request_hash', sa.String(length=64), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('created_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_idempotency_key_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', 'key', name=op.f('pk_idempotency_key'))
    )
    op.create_table('mail_batch',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('subject', sa.String(length=200), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('created_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_mail_batch_user_id_user'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mail_batch'))
    )
    op.create_table('one_time_code',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('purpose', sa.String(length=8), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('link_hash', sa.String(length=64), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('created_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('expires_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('used_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_one_time_code_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_one_time_code')),
    sa.UniqueConstraint('link_hash', name=op.f('uq_one_time_code_link_hash'))
    )
    with op.batch_alter_table('one_time_code', schema=None) as batch_op:
        batch_op.create_index('ix_one_time_code_user', ['user_id', 'purpose'], unique=False)

    op.create_table('recovery_code',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('used_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_recovery_code_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recovery_code'))
    )
    with op.batch_alter_table('recovery_code', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_recovery_code_user_id'), ['user_id'], unique=False)

    op.create_table('trap_attempt',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('trapped_id', sa.Integer(), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('method', sa.String(length=8), nullable=False),
    sa.Column('path', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('password', sa.String(length=40), nullable=False),
    sa.Column('device', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['trapped_id'], ['trapped_address.id'], name=op.f('fk_trap_attempt_trapped_id_trapped_address'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trap_attempt'))
    )
    with op.batch_alter_table('trap_attempt', schema=None) as batch_op:
        batch_op.create_index('ix_trap_attempt_at', ['at_ms'], unique=False)
        batch_op.create_index(batch_op.f('ix_trap_attempt_trapped_id'), ['trapped_id'], unique=False)

    op.create_table('camera_grant',
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.Column('action', sa.String(length=16), nullable=False),
    sa.ForeignKeyConstraint(['camera_id'], ['camera.id'], name=op.f('fk_camera_grant_camera_id_camera'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_camera_grant_user_id_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', 'camera_id', 'action', name=op.f('pk_camera_grant'))
    )
    with op.batch_alter_table('camera_grant', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_camera_grant_camera_id'), ['camera_id'], unique=False)

    op.create_table('camera_group_member',
    sa.Column('group_id', sa.Integer(), nullable=False),
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['camera_id'], ['camera.id'], name=op.f('fk_camera_group_member_camera_id_camera'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['group_id'], ['camera_group.id'], name=op.f('fk_camera_group_member_group_id_camera_group'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('group_id', 'camera_id', name=op.f('pk_camera_group_member'))
    )
    with op.batch_alter_table('camera_group_member', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_camera_group_member_camera_id'), ['camera_id'], unique=False)

    op.create_table('mail_message',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('batch_id', sa.Integer(), nullable=True),
    sa.Column('sender_id', sa.Integer(), nullable=True),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('address', sa.String(length=254), nullable=False),
    sa.Column('template', sa.String(length=32), nullable=False),
    sa.Column('subject', sa.String(length=200), nullable=False),
    sa.Column('values_sealed', sa.Text(), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('handed_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('steps', sa.JSON(), nullable=True),
    sa.Column('expires_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('cause', sa.String(length=300), nullable=False),
    sa.Column('answer', sa.String(length=500), nullable=False),
    sa.Column('created_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('sent_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['batch_id'], ['mail_batch.id'], name=op.f('fk_mail_message_batch_id_mail_batch'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['sender_id'], ['user.id'], name=op.f('fk_mail_message_sender_id_user'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_mail_message_user_id_user'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mail_message'))
    )
    with op.batch_alter_table('mail_message', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_mail_message_batch_id'), ['batch_id'], unique=False)
        batch_op.create_index('ix_mail_message_created', ['created_at'], unique=False)
        batch_op.create_index('ix_mail_message_due', ['state', 'next_at'], unique=False)

    with op.batch_alter_table('session', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(length=8), nullable=False, server_default='browser'))
        batch_op.add_column(sa.Column('device', sa.String(length=120), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('address', sa.String(length=64), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('sudo_until_ms', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('refresh_hash', sa.String(length=64), nullable=True))

    with op.batch_alter_table('user', schema=None) as batch_op:
        batch_op.add_column(sa.Column('email_verified_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('password_changed_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('version', sa.Integer(), nullable=False, server_default='1'))
        batch_op.add_column(sa.Column('disabled_by', sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column('disabled_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('totp_secret_encrypted', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('totp_confirmed_at', cctv.models.columns.UtcDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('totp_last_step', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('new_cameras', sa.String(length=4), nullable=False, server_default='no'))
        batch_op.add_column(sa.Column('start_page', sa.String(length=16), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('has_shortcuts', sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column('pauses_updates', sa.Boolean(), nullable=False, server_default=sa.false()))

    _never_reuse_ids_of_accounts()
    _refuse_changes_of_the_audit_log()


def _never_reuse_ids_of_accounts():
    """SQLite gives the highest id again once its row is gone, and the audit log would speak of somebody else."""
    if op.get_bind().dialect.name == 'sqlite':
        with op.batch_alter_table('user', recreate='always', table_kwargs={'sqlite_autoincrement': True}):
            pass


def _refuse_changes_of_the_audit_log():
    """Rows are added and never changed, whoever asks through the application's own account."""
    if op.get_bind().dialect.name == 'sqlite':
        for verb in ('UPDATE', 'DELETE'):
            op.execute(
                f"CREATE TRIGGER audit_entry_no_{verb.lower()} BEFORE {verb} ON audit_entry "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )

    op.create_table('notice',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('about', sa.String(length=24), nullable=False),
    sa.Column('camera_id', sa.Integer(), nullable=True),
    sa.Column('node_id', sa.Integer(), nullable=True),
    sa.Column('sentence', sa.String(length=300), nullable=False),
    sa.Column('started_ms', sa.BigInteger(), nullable=False),
    sa.Column('told_ms', sa.BigInteger(), nullable=True),
    sa.Column('ended_ms', sa.BigInteger(), nullable=True),
    sa.Column('end_told_ms', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['camera_id'], ['camera.id'], name=op.f('fk_notice_camera_id_camera'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], name=op.f('fk_notice_node_id_node'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notice'))
    )
    with op.batch_alter_table('notice', schema=None) as batch_op:
        batch_op.create_index('uq_notice_open', ['about'], unique=True, sqlite_where=sa.text('ended_ms IS NULL'), postgresql_where=sa.text('ended_ms IS NULL'))
        batch_op.create_index('ix_notice_started', ['about', 'started_ms'], unique=False)
        batch_op.create_index(batch_op.f('ix_notice_camera_id'), ['camera_id'], unique=False)


def downgrade():
    op.drop_table('notice')
    with op.batch_alter_table('user', schema=None) as batch_op:
        batch_op.drop_column('pauses_updates')
        batch_op.drop_column('has_shortcuts')
        batch_op.drop_column('start_page')
        batch_op.drop_column('new_cameras')
        batch_op.drop_column('totp_last_step')
        batch_op.drop_column('totp_confirmed_at')
        batch_op.drop_column('totp_secret_encrypted')
        batch_op.drop_column('disabled_at')
        batch_op.drop_column('disabled_by')
        batch_op.drop_column('version')
        batch_op.drop_column('password_changed_at')
        batch_op.drop_column('email_verified_at')

    with op.batch_alter_table('session', schema=None) as batch_op:
        batch_op.drop_column('refresh_hash')
        batch_op.drop_column('sudo_until_ms')
        batch_op.drop_column('address')
        batch_op.drop_column('device')
        batch_op.drop_column('kind')

    with op.batch_alter_table('mail_message', schema=None) as batch_op:
        batch_op.drop_index('ix_mail_message_due')
        batch_op.drop_index('ix_mail_message_created')
        batch_op.drop_index(batch_op.f('ix_mail_message_batch_id'))

    op.drop_table('mail_message')
    with op.batch_alter_table('camera_group_member', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_camera_group_member_camera_id'))

    op.drop_table('camera_group_member')
    with op.batch_alter_table('camera_grant', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_camera_grant_camera_id'))

    op.drop_table('camera_grant')
    with op.batch_alter_table('trap_attempt', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_trap_attempt_trapped_id'))
        batch_op.drop_index('ix_trap_attempt_at')

    op.drop_table('trap_attempt')
    with op.batch_alter_table('recovery_code', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_recovery_code_user_id'))

    op.drop_table('recovery_code')
    with op.batch_alter_table('one_time_code', schema=None) as batch_op:
        batch_op.drop_index('ix_one_time_code_user')

    op.drop_table('one_time_code')
    op.drop_table('mail_batch')
    op.drop_table('idempotency_key')
    with op.batch_alter_table('group_grant', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_group_grant_group_id'))

    op.drop_table('group_grant')
    with op.batch_alter_table('api_token', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_api_token_user_id'))

    op.drop_table('api_token')
    with op.batch_alter_table('trapped_address', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_trapped_address_last_ms'))

    op.drop_table('trapped_address')
    op.drop_table('camera_group')
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.drop_index('ix_audit_entry_user')
        batch_op.drop_index('ix_audit_entry_camera')
        batch_op.drop_index('ix_audit_entry_at')
        batch_op.drop_index('ix_audit_entry_action')

    op.drop_table('audit_entry')
    if op.get_bind().dialect.name != 'sqlite':
        op.execute('DROP FUNCTION refuse_audit_change()')
